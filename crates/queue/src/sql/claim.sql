-- The CTE locks exactly the rows that LIMIT counts; a sub-query in the UPDATE could be run again and claim more.
WITH candidate AS (
    SELECT run_id, name FROM task
    WHERE state IN ('ready', 'retrying') AND ready_at <= now()
    ORDER BY ready_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE task t SET
        state = 'running', attempt_id = gen_random_uuid(), holder = $3, lease_until = now() + $2 * interval '1 second',
        attempt = t.attempt + CASE WHEN t.deferred THEN 0 ELSE 1 END,
        started_at = CASE WHEN t.deferred THEN t.started_at ELSE now() END,
        deferred = false
    FROM candidate c
    WHERE t.run_id = c.run_id AND t.name = c.name
    RETURNING t.run_id, t.name, t.attempt_id, t.attempt, t.started_at, t.result
), begun AS (
    -- Looks of one try share its row: the first look makes it.
    INSERT INTO attempt (attempt_id, run_id, task, attempt, state, started_at)
    SELECT attempt_id, run_id, name, attempt, 'running', started_at FROM claimed c
    WHERE NOT EXISTS (SELECT FROM attempt a WHERE a.run_id = c.run_id AND a.task = c.name AND a.attempt = c.attempt)
)
SELECT c.run_id, c.name, c.attempt_id, c.attempt, r.dag, r.pipeline, r.hash, r.logical_at, coalesce(r.started_at, r.made_at) AS run_started_at,
    extract(epoch FROM clock_timestamp() - c.started_at)::float8 AS age, c.result AS kept, r.params
FROM claimed c JOIN run r ON r.id = c.run_id
