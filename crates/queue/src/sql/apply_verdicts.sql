UPDATE task t SET
    state = new.state, reason = new.reason, ready_at = now(), ended_at = CASE WHEN new.state <> 'ready' THEN now() END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS new (run_id, name, state, reason)
WHERE t.run_id = new.run_id AND t.name = new.name AND t.state = 'waiting'
