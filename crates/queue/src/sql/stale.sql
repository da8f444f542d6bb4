-- Scheduled runs that still wait for a place, too long after they were due. One for an interval is due at its end.
SELECT id, coalesce(interval_end, logical_at) FROM run
WHERE dag = $1 AND state = 'queued' AND cause = 'schedule' AND NOT stale
  AND coalesce(interval_end, logical_at) < now() - $2 * interval '1 second'
LIMIT 100
FOR UPDATE
