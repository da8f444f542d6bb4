-- The oldest queued runs of a DAG, as many as there are free places.
UPDATE run SET
    state = 'running', started_at = coalesce(started_at, now()),
    expected_by = coalesce(expected_by, now() + expected_in * interval '1 second')
WHERE id IN (
    SELECT id FROM run
    WHERE dag = $1 AND state = 'queued'
    ORDER BY logical_at, made_at
    LIMIT greatest(0, $2 - (SELECT count(*) FROM run WHERE dag = $1 AND state = 'running'))
)
RETURNING id, started_at < now() AS again
