-- Running runs in which tasks wait, and nothing runs and nothing is due. $1 is one of them.
SELECT r.id FROM run r
WHERE r.state = 'running' AND ($1::uuid IS NULL OR r.id = $1)
  AND EXISTS (SELECT FROM task t WHERE t.run_id = r.id AND t.ended_at IS NULL)
  AND NOT EXISTS (SELECT FROM task t WHERE t.run_id = r.id AND t.state IN ('ready', 'retrying', 'running'))
ORDER BY r.id
LIMIT 100
