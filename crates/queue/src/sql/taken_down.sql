-- Teardowns of a run that have begun, and their setups.
SELECT e.child, e.parent FROM task_edge e
JOIN task t ON t.run_id = e.run_id AND t.name = e.child
WHERE e.run_id = $1 AND e.setup
  AND (t.state IN ('ready', 'running', 'retrying', 'success', 'failed') OR t.rule_before IS NOT NULL)
