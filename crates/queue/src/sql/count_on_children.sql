UPDATE task c SET
    success         = success         + ($3 = 'success')::int,
    skipped         = skipped         + ($3 = 'skipped')::int,
    failed          = failed          + ($3 = 'failed')::int,
    upstream_failed = upstream_failed + ($3 = 'upstream_failed')::int,
    removed         = removed         + ($3 = 'removed')::int,
    setup_success   = setup_success   + (e.setup AND $3 = 'success')::int,
    setup_skipped   = setup_skipped   + (e.setup AND $3 = 'skipped')::int
FROM task_edge e
WHERE e.run_id = $1 AND e.parent = $2 AND c.run_id = e.run_id AND c.name = e.child AND c.state = 'waiting'
RETURNING c.name, c.rule, c.upstream, c.success, c.skipped, c.failed, c.upstream_failed, c.removed,
    c.setups, c.setup_success, c.setup_skipped
