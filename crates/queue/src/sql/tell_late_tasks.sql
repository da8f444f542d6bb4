-- Never waits for a row: what is being written now is told by the next look.
WITH passed AS (
    SELECT run_id, name FROM task
    WHERE late_told_at IS NULL AND expected_by < now() AND ended_at IS NULL
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
), late AS (
    UPDATE task SET late_told_at = now()
    WHERE (run_id, name) IN (SELECT run_id, name FROM passed)
    RETURNING run_id, name, state, expected_by
)
INSERT INTO notice (kind, run_id, task, text)
SELECT 'deadline', run_id, name, format('the task "%s" should have ended by %s and is %s', name, to_char(expected_by AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), state)
FROM late
RETURNING run_id, task, text
