-- Counters from the truth: how many parents of each task are in which state.
UPDATE task t SET
    success = c.success, skipped = c.skipped, failed = c.failed, upstream_failed = c.upstream_failed, removed = c.removed
FROM (
    SELECT child.name,
        count(*) FILTER (WHERE parent.state = 'success')         AS success,
        count(*) FILTER (WHERE parent.state = 'skipped')         AS skipped,
        count(*) FILTER (WHERE parent.state = 'failed')          AS failed,
        count(*) FILTER (WHERE parent.state = 'upstream_failed') AS upstream_failed,
        count(*) FILTER (WHERE parent.state = 'removed')         AS removed
    FROM task child
    LEFT JOIN task_edge e ON e.run_id = child.run_id AND e.child = child.name
    LEFT JOIN task parent ON parent.run_id = e.run_id AND parent.name = e.parent
    WHERE child.run_id = $1
    GROUP BY child.name
) c
WHERE t.run_id = $1 AND t.name = c.name
