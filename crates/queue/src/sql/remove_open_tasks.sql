-- Without an attempt_id, no answer that still comes can match.
WITH removed AS (
    UPDATE task SET state = 'removed', reason = $2, ended_at = now(), attempt_id = NULL, lease_until = NULL
    WHERE run_id = $1 AND state IN ('waiting', 'ready', 'retrying', 'running')
    RETURNING name
)
UPDATE attempt a SET state = 'removed', reason = $2, ended_at = now()
FROM removed r WHERE a.run_id = $1 AND a.task = r.name AND a.ended_at IS NULL
