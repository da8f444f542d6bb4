-- Counters from the truth: how many parents of each waiting task are in which state.
UPDATE task t SET
    success = c.success, skipped = c.skipped, failed = c.failed, upstream_failed = c.upstream_failed, removed = c.removed,
    setup_success = c.setup_success, setup_skipped = c.setup_skipped
FROM (
    SELECT child.name,
        count(*) FILTER (WHERE parent.state = 'success')             AS success,
        count(*) FILTER (WHERE parent.state = 'skipped')             AS skipped,
        count(*) FILTER (WHERE parent.state = 'failed')              AS failed,
        count(*) FILTER (WHERE parent.state = 'upstream_failed')     AS upstream_failed,
        count(*) FILTER (WHERE parent.state = 'removed')             AS removed,
        count(*) FILTER (WHERE e.setup AND parent.state = 'success') AS setup_success,
        count(*) FILTER (WHERE e.setup AND parent.state = 'skipped') AS setup_skipped
    FROM task child
    LEFT JOIN task_edge e ON e.run_id = child.run_id AND e.child = child.name
    LEFT JOIN task parent ON parent.run_id = e.run_id AND parent.name = e.parent
    -- Items wait for a place, not for parents.
    WHERE child.run_id = $1 AND child.state = 'waiting' AND child.map_of IS NULL
    GROUP BY child.name
) c
WHERE t.run_id = $1 AND t.name = c.name
RETURNING t.run_id, t.name, t.state, 'what it waits for ended otherwise' AS cause, t.rule, t.upstream, t.success, t.skipped, t.failed, t.upstream_failed, t.removed,
    t.setups, t.setup_success, t.setup_skipped
