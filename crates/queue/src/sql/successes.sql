SELECT s.id, s.dag, d.pipeline, d.hash, s.run_id, s.logical_at, s.interval_start, s.interval_end
FROM dag_success s JOIN dag d ON d.name = s.dag
WHERE NOT d.retired AND NOT d.paused
ORDER BY s.id
LIMIT 100
