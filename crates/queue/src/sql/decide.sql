-- It asks once it has looked for an answer: then it is ready to look again, or is looking.
WITH decided AS (
    UPDATE task SET state = $3, reason = CASE WHEN $3 = 'failed' THEN $4 END, result = $5, ended_at = now(),
        attempt_id = NULL, lease_until = NULL, deferred = false
    WHERE run_id = $1 AND name = $2 AND kind = 'approve' AND state IN ('ready', 'running')
    RETURNING name
), tried AS (
    UPDATE attempt a SET state = $3, reason = $4, ended_at = now()
    FROM decided d WHERE a.run_id = $1 AND a.task = d.name AND a.ended_at IS NULL
)
SELECT count(*) AS decided FROM decided
