-- A leaf is a task that nobody waits for.
UPDATE run r SET
    ended_at = now(),
    state = CASE WHEN leaf.bad = 0 THEN $2 ELSE $3 END,
    reason = leaf.reason
FROM (
    SELECT count(*) FILTER (WHERE state IN ('failed', 'upstream_failed')) AS bad,
        (SELECT min('task "' || name || '" failed: ' || coalesce(reason, '')) FROM task WHERE run_id = $1 AND state = 'failed') AS reason
    FROM task t
    WHERE t.run_id = $1 AND NOT EXISTS (SELECT FROM task_edge e WHERE e.run_id = t.run_id AND e.parent = t.name)
) leaf
WHERE r.id = $1 AND r.state = 'running' AND r.tasks_left <= 0
RETURNING r.state
