-- The attempts of the runs $1, in their order. One whose holder fell silent has no end of its own where an older process gave its task to
-- the next: that one began then, or the run had ended.
SELECT a.run_id, a.attempt_id, a.task, a.attempt, a.holder, a.ready_at, a.started_at, a.reason, t.kind, t.pool,
    CASE WHEN a.ended_at IS NULL THEN 'lost' ELSE a.state END AS state,
    coalesce(a.ended_at, lead(a.started_at) OVER (PARTITION BY a.run_id, a.task ORDER BY a.attempt), r.ended_at, now()) AS ended_at
FROM attempt a JOIN run r ON r.id = a.run_id JOIN task t ON t.run_id = a.run_id AND t.name = a.task
WHERE a.run_id = ANY ($1)
ORDER BY a.run_id, a.started_at, a.task
