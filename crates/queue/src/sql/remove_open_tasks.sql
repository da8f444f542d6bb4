-- Without an attempt_id, no answer that still comes can match.
UPDATE task SET state = 'removed', reason = $2, ended_at = now(), attempt_id = NULL, lease_until = NULL
WHERE run_id = $1 AND state IN ('waiting', 'ready', 'retrying', 'running')
