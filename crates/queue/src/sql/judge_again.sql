-- A run that had ended has nothing left: it is open only until its leaves are looked at, in this transaction.
UPDATE run SET
    state = CASE WHEN state = 'queued' THEN 'queued' ELSE 'running' END,
    tasks_left = (SELECT count(*) FROM task WHERE run_id = $1 AND ended_at IS NULL)
WHERE id = $1
RETURNING dag, state
