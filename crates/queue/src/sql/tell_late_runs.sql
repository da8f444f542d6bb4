-- Never waits for a row: what is being written now is told by the next look.
WITH passed AS (
    SELECT id FROM run
    WHERE late_told_at IS NULL AND expected_by < now() AND ended_at IS NULL
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
), late AS (
    UPDATE run SET late_told_at = now()
    WHERE (id) IN (SELECT id FROM passed)
    RETURNING id, dag, expected_by
)
INSERT INTO notice (kind, run_id, text)
SELECT 'deadline', id, format('the run of DAG "%s" should have ended by %s', dag, to_char(expected_by AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
FROM late
RETURNING run_id, task, text
