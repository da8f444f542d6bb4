-- Only the holder of this attempt may end it.
WITH ended AS (
    UPDATE task SET
        state = $4,
        result = coalesce($6, result),
        reason = $7,
        deferred = $8,
        ready_at = CASE WHEN $5::float8 IS NULL THEN ready_at ELSE now() + $5 * interval '1 second' END,
        ended_at = CASE WHEN $5::float8 IS NULL THEN now() END,
        attempt_id = NULL, lease_until = NULL
    WHERE run_id = $1 AND name = $2 AND attempt_id = $3 AND state = 'running'
    RETURNING attempt
), tried AS (
    -- A look that comes again is the same try.
    UPDATE attempt a SET state = CASE WHEN $4 = 'retrying' THEN 'failed' ELSE $4 END, reason = $7, ended_at = now()
    FROM ended WHERE NOT $8 AND a.run_id = $1 AND a.task = $2 AND a.attempt = ended.attempt
)
SELECT count(*) AS taken FROM ended
