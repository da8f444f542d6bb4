-- Tasks that have ended, `counting`, are counted on their children and on their runs. What most tasks wait for, the success of all
-- parents, is judged here: a child of that rule is written once and not twice. Of a child with several of these parents, the cause
-- is one that did not succeed.
, counted AS (
    SELECT e.run_id, e.child,
        count(*) FILTER (WHERE p.state = 'success')::int             AS success,
        count(*) FILTER (WHERE p.state = 'skipped')::int             AS skipped,
        count(*) FILTER (WHERE p.state = 'failed')::int              AS failed,
        count(*) FILTER (WHERE p.state = 'upstream_failed')::int     AS upstream_failed,
        count(*) FILTER (WHERE p.state = 'removed')::int             AS removed,
        count(*) FILTER (WHERE e.setup AND p.state = 'success')::int AS setup_success,
        count(*) FILTER (WHERE e.setup AND p.state = 'skipped')::int AS setup_skipped,
        coalesce(min(p.told) FILTER (WHERE p.state <> 'success'), min(p.told)) AS cause
    FROM (
        SELECT *, format('"%s" ended as %s', name, state) AS told
        FROM counting
    ) p JOIN task_edge e ON e.run_id = p.run_id AND e.parent = p.name
    GROUP BY e.run_id, e.child
), children AS (
    UPDATE task c SET
        success         = c.success         + n.success,
        skipped         = c.skipped         + n.skipped,
        failed          = c.failed          + n.failed,
        upstream_failed = c.upstream_failed + n.upstream_failed,
        removed         = c.removed         + n.removed,
        setup_success   = c.setup_success   + n.setup_success,
        setup_skipped   = c.setup_skipped   + n.setup_skipped,
        state    = CASE WHEN c.rule = 'all_success' AND c.success + n.success = c.upstream THEN 'ready' ELSE c.state END,
        ready_at = CASE WHEN c.rule = 'all_success' AND c.success + n.success = c.upstream THEN now() ELSE c.ready_at END
    FROM counted n
    WHERE c.run_id = n.run_id AND c.name = n.child AND c.state = 'waiting'
    RETURNING c.run_id, c.name, c.state, c.rule, c.upstream, c.success, c.skipped, c.failed, c.upstream_failed, c.removed,
        c.setups, c.setup_success, c.setup_skipped, n.cause
), runs AS (
    UPDATE run r SET tasks_left = r.tasks_left - n.ended
    FROM (SELECT run_id, count(*)::int AS ended FROM counting GROUP BY run_id) n
    WHERE r.id = n.run_id
    RETURNING r.id, r.tasks_left
)
