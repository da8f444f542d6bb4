-- A leaf is a task that nobody waits for but teardowns; a run of teardowns alone ends as they do.
UPDATE run r SET
    ended_at = now(),
    state = CASE WHEN leaf.bad = 0 THEN $2 ELSE $3 END,
    reason = CASE WHEN leaf.bad > 0 THEN leaf.reason END
FROM unnest($1::uuid[]) AS done (id) CROSS JOIN LATERAL (
    SELECT count(*) AS bad,
        (SELECT min('task "' || name || '" failed: ' || coalesce(reason, '')) FROM task WHERE run_id = done.id AND state = 'failed') AS reason
    FROM task t
    WHERE t.run_id = done.id AND t.state IN ('failed', 'upstream_failed')
      AND (NOT t.teardown OR NOT EXISTS (SELECT FROM task o WHERE o.run_id = done.id AND NOT o.teardown))
      AND NOT EXISTS (
          SELECT FROM task_edge e JOIN task child ON child.run_id = e.run_id AND child.name = e.child
          WHERE e.run_id = t.run_id AND e.parent = t.name AND child.teardown = t.teardown)
) leaf
WHERE r.id = done.id AND r.state = 'running' AND r.tasks_left <= 0
-- Who ends a run waits for the disk, whatever it has set before.
RETURNING r.id, r.state, set_config('synchronous_commit', 'on', true)
