UPDATE task SET state = 'waiting', reason = NULL, result = NULL, ended_at = NULL, started_at = NULL,
    attempt_id = NULL, lease_until = NULL, deferred = false, rescues = 0
WHERE run_id = $1 AND state IN ('failed', 'upstream_failed', 'removed')
  AND EXISTS (SELECT FROM run WHERE id = $1 AND state IN ('success', 'failed', 'cancelled'))
