-- Runs whose counters, or their tasks', are not what the tasks say: how many of them. One statement sees one moment: an ending moves its state and all counters at
-- once, so that what differs here is wrong. A queued run is counted when it is admitted.
SELECT id, sum(counters)::bigint AS counters FROM (
    SELECT r.id, 1 AS counters FROM run r
    WHERE r.state = 'running' AND r.tasks_left <> (SELECT count(*) FROM task t WHERE t.run_id = r.id AND t.ended_at IS NULL)
    UNION ALL
    SELECT child.run_id, count(*) FROM task child JOIN run r ON r.id = child.run_id AND r.state = 'running'
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE parent.state = 'success')          AS success,
            count(*) FILTER (WHERE parent.state = 'skipped')             AS skipped,
            count(*) FILTER (WHERE parent.state = 'failed')              AS failed,
            count(*) FILTER (WHERE parent.state = 'upstream_failed')     AS upstream_failed,
            count(*) FILTER (WHERE parent.state = 'removed')             AS removed,
            count(*) FILTER (WHERE e.setup AND parent.state = 'success') AS setup_success,
            count(*) FILTER (WHERE e.setup AND parent.state = 'skipped') AS setup_skipped
        FROM task_edge e JOIN task parent ON parent.run_id = e.run_id AND parent.name = e.parent
        WHERE e.run_id = child.run_id AND e.child = child.name
    ) truth
    WHERE child.state = 'waiting'
      AND (child.success, child.skipped, child.failed, child.upstream_failed, child.removed, child.setup_success, child.setup_skipped)
          IS DISTINCT FROM (truth.success, truth.skipped, truth.failed, truth.upstream_failed, truth.removed, truth.setup_success, truth.setup_skipped)
    GROUP BY child.run_id
) wrong
GROUP BY id
ORDER BY id
LIMIT 100
