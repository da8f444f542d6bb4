-- Attempts $1 are begun again by somebody else, as the same try. What only looks goes on; what does its work from the start has all
-- of its timeout for that.
UPDATE task SET
    state = 'ready', ready_at = now(), deferred = true, attempt_id = NULL, lease_until = NULL,
    started_at = CASE WHEN kind IN ('wait', 'approve', 'run', 'job') THEN started_at END
WHERE state = 'running' AND attempt_id = ANY ($1)
