UPDATE task SET
    state = CASE WHEN rescues + 1 > $4 THEN 'failed' ELSE 'ready' END,
    ended_at = CASE WHEN rescues + 1 > $4 THEN now() END,
    ready_at = now(), rescues = rescues + 1, reason = $3, attempt_id = NULL, lease_until = NULL
WHERE run_id = $1 AND name = $2 AND state = 'running' AND lease_until < now()
RETURNING state
