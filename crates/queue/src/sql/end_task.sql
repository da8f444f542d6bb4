-- Only the holder of this attempt may end it.
UPDATE task SET
    state = $4,
    result = coalesce($6, result),
    reason = $7,
    deferred = $8,
    ready_at = CASE WHEN $5::float8 IS NULL THEN ready_at ELSE now() + $5 * interval '1 second' END,
    ended_at = CASE WHEN $5::float8 IS NULL THEN now() END,
    attempt_id = NULL, lease_until = NULL
WHERE run_id = $1 AND name = $2 AND attempt_id = $3 AND state = 'running'
