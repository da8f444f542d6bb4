UPDATE task t SET
    state = new.state, reason = new.reason, ready_at = now(), ended_at = CASE WHEN new.state <> 'ready' THEN now() END
FROM unnest($2::text[], $3::text[], $4::text[]) AS new (name, state, reason)
WHERE t.run_id = $1 AND t.name = new.name AND t.state = 'waiting'
