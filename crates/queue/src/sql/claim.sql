-- What to begin now: of each pool as much as it has free slots, of each DAG as much as it may run at once; higher priority
-- first, and among equals the DAGs take turns. The caller holds the lock of claims, or two would count the same free slot.
WITH RECURSIVE lane AS (
    -- The pairs of pool and DAG with something ready, by jumps in the index: the cost does not grow with what waits.
    (SELECT pool, dag FROM task WHERE state IN ('ready', 'retrying') ORDER BY pool, dag LIMIT 1)
    UNION ALL
    SELECT next.pool, next.dag FROM lane CROSS JOIN LATERAL (
        SELECT pool, dag FROM task
        WHERE state IN ('ready', 'retrying') AND (pool, dag) > (lane.pool, lane.dag)
        ORDER BY pool, dag LIMIT 1
    ) next
), busy AS (
    SELECT pool, dag, sum(slots) AS slots, count(*) AS tasks FROM task WHERE state = 'running' GROUP BY pool, dag
), room AS (
    SELECT p.name, p.slots AS size, p.slots - coalesce(sum(b.slots), 0) AS free
    FROM pool p LEFT JOIN busy b ON b.pool = p.name GROUP BY p.name, p.slots
), candidate AS (
    SELECT t.*, lane.pool, lane.dag, room.free,
        -- A task that needs more slots than its pool has takes all of them.
        least(t.slots, room.size) AS need,
        coalesce((SELECT sum(tasks) FROM busy WHERE busy.dag = lane.dag), 0) AS dag_busy
    FROM lane JOIN room ON room.name = lane.pool AND room.free > 0
    CROSS JOIN LATERAL (
        SELECT run_id, name, slots, priority, ready_at, tasks_max FROM task
        WHERE state IN ('ready', 'retrying') AND pool = lane.pool AND dag = lane.dag AND ready_at <= now()
          AND (NOT depends_on_past OR coalesce((
              SELECT past.state IN ('success', 'skipped')
              FROM run before CROSS JOIN LATERAL (
                  -- By its key: OFFSET keeps the planner from looking for the name in all runs.
                  SELECT state FROM task was WHERE was.run_id = before.id AND was.name = task.name OFFSET 0
              ) past
              WHERE before.dag = task.dag AND before.logical_at < (SELECT logical_at FROM run WHERE id = task.run_id)
              ORDER BY before.logical_at DESC LIMIT 1), true))
        ORDER BY priority DESC, ready_at
        LIMIT $1
    ) t
), turned AS (
    SELECT *, dag_busy + row_number() OVER (PARTITION BY dag ORDER BY priority DESC, ready_at, run_id, name) AS turn FROM candidate
), fitting AS (
    -- A large task at the head is waited for: small ones that come later must not pass it for ever.
    SELECT *, sum(need) OVER (PARTITION BY pool ORDER BY priority DESC, turn, ready_at, run_id, name) AS taken
    FROM turned WHERE turn <= coalesce(tasks_max, turn)
), chosen AS (
    SELECT run_id, name FROM fitting WHERE taken <= free
    ORDER BY priority DESC, turn, ready_at, run_id, name
    LIMIT $1
), locked AS (
    -- One by one, by their key: a join would look at all that is ready. So would the states as constants, by the index of what is
    -- ready, which is empty where the server has last counted.
    SELECT t.run_id, t.name FROM chosen c CROSS JOIN LATERAL (
        SELECT run_id, name FROM task
        WHERE run_id = c.run_id AND name = c.name AND state = ANY ($4)
        FOR UPDATE SKIP LOCKED
    ) t
), claimed AS (
    UPDATE task t SET
        state = 'running', attempt_id = gen_random_uuid(), holder = $3, lease_until = now() + $2 * interval '1 second',
        attempt = t.attempt + CASE WHEN t.deferred THEN 0 ELSE 1 END,
        started_at = CASE WHEN t.deferred THEN coalesce(t.started_at, now()) ELSE now() END,
        deferred = false
    FROM locked l
    WHERE t.run_id = l.run_id AND t.name = l.name
    RETURNING t.run_id, t.name, t.attempt_id, t.attempt, t.tries_before, t.rescues, t.ready_at, t.started_at, t.result
), begun AS (
    -- Looks of one try share its row: the first look makes it.
    INSERT INTO attempt (attempt_id, run_id, task, attempt, state, holder, ready_at, started_at)
    SELECT attempt_id, run_id, name, attempt, 'running', $3, ready_at, started_at FROM claimed c
    WHERE NOT EXISTS (SELECT FROM attempt a WHERE a.run_id = c.run_id AND a.task = c.name AND a.attempt = c.attempt)
), later AS (
    SELECT extract(epoch FROM min(ready_at) - clock_timestamp())::float8 AS next_in FROM task
    WHERE state IN ('ready', 'retrying') AND ready_at > now()
)
-- In each row also, and where nothing was claimed in a row of its own: in how many seconds the next retry or look is due.
SELECT later.next_in, c.run_id, c.name, c.attempt_id, c.attempt,
    -- Neither those of before it was cleared, nor those whose holders fell silent.
    c.attempt - c.tries_before - c.rescues AS tries, r.dag, r.pipeline, r.hash, r.logical_at,
    coalesce(r.started_at, r.made_at) AS run_started_at,
    extract(epoch FROM clock_timestamp() - c.started_at)::float8 AS age,
    c.started_at = now() AS first_look, c.result AS kept, r.params,
    coalesce(r.interval_start, r.logical_at) AS interval_start, coalesce(r.interval_end, r.logical_at) AS interval_end
FROM later LEFT JOIN (claimed c JOIN run r ON r.id = c.run_id) ON true
