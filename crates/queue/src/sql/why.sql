-- What is known about each task of a run that neither runs nor has ended.
WITH taken AS (
    SELECT pool, dag, sum(slots) AS slots, count(*) AS tasks FROM task WHERE state = 'running' GROUP BY pool, dag
), pool_now AS (
    SELECT p.name, p.slots, coalesce(sum(k.slots), 0)::bigint AS taken,
        (SELECT k.dag FROM taken k WHERE k.pool = p.name ORDER BY k.slots DESC, k.dag LIMIT 1) AS most_by
    FROM pool p LEFT JOIN taken k ON k.pool = p.name GROUP BY p.name, p.slots
)
SELECT t.name, t.state, t.reason, t.deferred, t.attempt, t.ready_at, t.ready_at > now() AS later, t.pool, t.dag,
    r.state = 'queued' AS run_queued, r.max_active_runs, b.state AS backfill_state, b.max_active AS backfill_max,
    p.slots AS pool_slots, p.taken AS pool_taken, p.most_by,
    least(t.slots, p.slots) AS need,
    t.tasks_max, coalesce((SELECT sum(k.tasks) FROM taken k WHERE k.dag = t.dag), 0)::bigint AS dag_tasks,
    parent.name AS parent, parent.state AS parent_state, parent.since AS parent_since,
    t.map_of, (SELECT m.items_max FROM task m WHERE m.run_id = t.run_id AND m.name = t.map_of) AS items_max,
    past.state AS past_state, past.run_id AS past_run,
    head.name AS head, head.dag AS head_dag, head.need AS head_need
FROM task t JOIN run r ON r.id = t.run_id
LEFT JOIN backfill b ON b.id = r.backfill
LEFT JOIN pool_now p ON p.name = t.pool
LEFT JOIN LATERAL (
    -- The one that is nearest to its end.
    SELECT q.name, q.state, q.started_at AS since FROM task_edge e JOIN task q ON q.run_id = e.run_id AND q.name = e.parent
    WHERE t.state = 'waiting' AND e.run_id = t.run_id AND e.child = t.name AND q.ended_at IS NULL
    ORDER BY q.state <> 'running', q.state <> 'ready', q.state <> 'retrying', q.name LIMIT 1
) parent ON true
LEFT JOIN LATERAL (
    SELECT q.state, q.run_id FROM run b JOIN task q ON q.run_id = b.id AND q.name = t.name
    WHERE t.depends_on_past AND b.dag = t.dag AND b.logical_at < r.logical_at
    ORDER BY b.logical_at DESC LIMIT 1
) past ON true
LEFT JOIN LATERAL (
    -- A large one that comes first, for which slots are kept free.
    SELECT h.name, h.dag, least(h.slots, p.slots) AS need FROM task h
    WHERE h.pool = t.pool AND h.state IN ('ready', 'retrying') AND h.ready_at <= now()
      AND least(h.slots, p.slots) > p.slots - p.taken AND (h.priority > t.priority OR h.priority = t.priority AND h.ready_at < t.ready_at)
    ORDER BY h.priority DESC, h.ready_at LIMIT 1
) head ON true
WHERE t.run_id = $1 AND t.state IN ('waiting', 'ready', 'retrying')
