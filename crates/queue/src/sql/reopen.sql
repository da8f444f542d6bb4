UPDATE run SET
    state = CASE WHEN state = 'running' THEN 'running' ELSE 'queued' END,
    reason = NULL, ended_at = NULL, deadline = CASE WHEN ended_at IS NULL THEN deadline END,
    tasks_left = (SELECT count(*) FROM task WHERE run_id = $1 AND ended_at IS NULL)
WHERE id = $1
RETURNING dag, state
