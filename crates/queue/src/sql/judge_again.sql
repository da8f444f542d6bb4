-- A run that had ended has nothing left: it is open only until its leaves are looked at, in this transaction. A cancelled one
-- stays so: its tasks did not decide its end.
UPDATE run SET
    state = CASE WHEN state IN ('queued', 'cancelled') THEN state ELSE 'running' END,
    tasks_left = (SELECT count(*) FROM task WHERE run_id = $1 AND ended_at IS NULL)
WHERE id = $1
RETURNING dag, state
