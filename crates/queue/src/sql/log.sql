-- One hint for all lines: each takes a lock of the whole server.
WITH added AS (
    INSERT INTO task_log (run_id, task, attempt, line, level)
    SELECT $1, $2, $3, line, level FROM unnest($4::text[], $5::text[]) AS new (line, level)
)
SELECT pg_notify($6, $1::uuid || ' ' || $2)
