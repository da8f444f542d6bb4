-- $1 run, $2 tasks, $3 only those that did not succeed. Without its attempt_id, no answer of what still runs can match. Retries
-- are counted anew. What a branch left out is cleared with the branch only: it decides.
WITH named AS (
    SELECT t.run_id, t.name, t.attempt_id, t.map_of, t.rule_before FROM task t
    WHERE t.run_id = $1 AND ($2::text[] IS NULL OR t.name = ANY ($2) OR ($3 AND t.map_of = ANY ($2)))
      AND (t.state <> 'waiting' OR t.rule_before IS NOT NULL)
      AND (NOT $3 OR t.state IN ('failed', 'upstream_failed', 'removed'))
), chosen AS (
    SELECT * FROM named n
    WHERE NOT EXISTS (
        SELECT FROM task t JOIN task b ON b.run_id = t.run_id AND b.name = t.skipped_by
        WHERE t.run_id = n.run_id AND t.name = n.name AND t.state = 'skipped' AND b.name NOT IN (SELECT name FROM named))
), anew AS (
    -- Tasks whose items are made anew: where some of the items were chosen and some were not, those are meant, and not the task.
    SELECT m.name FROM chosen m
    WHERE m.rule_before IS NOT NULL AND (
        NOT EXISTS (SELECT FROM chosen i WHERE i.map_of = m.name)
        OR NOT EXISTS (SELECT FROM task i WHERE i.run_id = $1 AND i.map_of = m.name AND i.state <> 'waiting'
            AND i.name NOT IN (SELECT name FROM chosen)))
), gone AS (
    DELETE FROM task i USING anew WHERE i.run_id = $1 AND i.map_of = anew.name RETURNING i.name, i.map_of
), unjoined AS (
    DELETE FROM task_edge e USING gone WHERE e.run_id = $1 AND e.parent = gone.name
), again AS (
    SELECT name FROM chosen WHERE map_of IS NULL OR map_of NOT IN (SELECT name FROM anew)
    -- An item decides how its task ends.
    UNION SELECT map_of FROM chosen WHERE map_of IS NOT NULL
), stopped AS (
    UPDATE attempt a SET state = 'removed', reason = 'the task was cleared', ended_at = now()
    WHERE a.run_id = $1 AND a.ended_at IS NULL AND a.task IN (SELECT name FROM again UNION SELECT name FROM gone)
)
UPDATE task t SET state = 'waiting', reason = NULL, result = NULL, ended_at = NULL, started_at = NULL,
    attempt_id = NULL, lease_until = NULL, deferred = false, rescues = 0, ready_at = NULL,
    tries_before = attempt, expected_by = NULL, late_told_at = NULL, skipped_by = NULL,
    rule = CASE WHEN t.name IN (SELECT name FROM anew) THEN t.rule_before ELSE t.rule END,
    upstream = t.upstream - (SELECT count(*) FROM gone WHERE gone.map_of = t.name),
    rule_before = CASE WHEN t.name IN (SELECT name FROM anew) THEN NULL ELSE t.rule_before END
WHERE t.run_id = $1 AND t.name IN (SELECT name FROM again)
RETURNING t.name
