-- Without its attempt_id, no answer of what still runs can match. Retries are counted anew.
WITH chosen AS (
    SELECT run_id, name, attempt_id FROM task
    WHERE run_id = $1 AND ($2::text[] IS NULL OR name = ANY ($2)) AND state <> 'waiting'
      AND (NOT $3 OR state IN ('failed', 'upstream_failed', 'removed'))
), stopped AS (
    UPDATE attempt a SET state = 'removed', reason = 'the task was cleared', ended_at = now()
    FROM chosen c WHERE a.run_id = c.run_id AND a.task = c.name AND a.ended_at IS NULL
)
UPDATE task t SET state = 'waiting', reason = NULL, result = NULL, ended_at = NULL, started_at = NULL,
    attempt_id = NULL, lease_until = NULL, deferred = false, rescues = 0, ready_at = NULL,
    tries_before = attempt, expected_by = NULL, late_told_at = NULL
FROM chosen c WHERE t.run_id = c.run_id AND t.name = c.name
