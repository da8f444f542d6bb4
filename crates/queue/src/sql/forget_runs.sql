-- $1 days, $2 how many at most, of those that lie in no month.
WITH gone AS (
    DELETE FROM run_other WHERE id IN (SELECT id FROM run_other WHERE ended_at < now() - $1 * interval '1 day' LIMIT $2) RETURNING id
), tasks AS (
    DELETE FROM task USING gone WHERE task.run_id = gone.id
), edges AS (
    DELETE FROM task_edge USING gone WHERE task_edge.run_id = gone.id
), attempts AS (
    DELETE FROM attempt USING gone WHERE attempt.run_id = gone.id
), logs AS (
    DELETE FROM task_log USING gone WHERE task_log.run_id = gone.id
), notices AS (
    DELETE FROM notice USING gone WHERE notice.run_id = gone.id
)
SELECT count(*) FROM gone
