-- The tasks of the run $1: those of the names $2, or all. A try keeps since when it could have begun; before the first, its task does.
SELECT t.*,
    coalesce(first.ready_at, CASE WHEN t.state = 'ready' THEN t.ready_at END) AS scheduled_at,
    CASE WHEN t.state = 'ready' AND NOT t.deferred THEN t.ready_at ELSE last.ready_at END AS queued_at
FROM task t
LEFT JOIN attempt first ON first.run_id = t.run_id AND first.task = t.name AND first.attempt = t.tries_before + 1
LEFT JOIN attempt last ON last.run_id = t.run_id AND last.task = t.name AND last.attempt = t.attempt AND t.attempt > t.tries_before
WHERE t.run_id = $1 AND ($2::text[] IS NULL OR t.name = ANY ($2))
ORDER BY t.name
