-- The oldest queued runs of a DAG, as many as there are free places. Those of backfills have places of their own.
UPDATE run SET
    state = 'running', started_at = coalesce(started_at, now()),
    expected_by = coalesce(expected_by, now() + expected_in * interval '1 second')
WHERE id IN (
    SELECT id FROM run
    WHERE dag = $1 AND state = 'queued' AND backfill IS NULL
    ORDER BY logical_at, made_at
    LIMIT greatest(0, $2 - (SELECT count(*) FROM run WHERE dag = $1 AND state = 'running' AND backfill IS NULL))
)
-- Again: some of its tasks have ended before, by a run or by a mark.
RETURNING id, started_at < now() OR EXISTS (SELECT FROM task t WHERE t.run_id = run.id AND t.ended_at IS NOT NULL) AS again
