SELECT t.dag, t.state, count(*) FROM run r JOIN task t ON t.run_id = r.id
WHERE r.state IN ('queued', 'running')
GROUP BY t.dag, t.state
