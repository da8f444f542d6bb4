DELETE FROM dag_success s
WHERE NOT EXISTS (SELECT FROM dag_after a WHERE a.dag = s.dag AND a.upstream = s.upstream)
