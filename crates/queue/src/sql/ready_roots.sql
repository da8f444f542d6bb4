-- Tasks that wait for nobody; and, in a run that was cleared, those whose parents have all succeeded.
UPDATE task SET state = 'ready', ready_at = now()
WHERE run_id = $1 AND state = 'waiting' AND (upstream = 0 OR success = upstream)
