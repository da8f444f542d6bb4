SELECT p.*, d.hash, d.paused, now() AS now,
    EXISTS (SELECT FROM run r WHERE r.dag = p.dag AND r.state = 'queued' AND r.cause = 'kafka') AS queued
FROM dag_place p JOIN dag d ON d.name = p.dag AND d.pipeline = p.pipeline
WHERE NOT d.retired
ORDER BY p.dag
