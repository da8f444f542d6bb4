INSERT INTO run (id, dag, pipeline, hash, logical_at, cause, state, tasks_left, made_at, started_at, ended_at, reason)
SELECT gen_random_uuid(), 'd' || n % 100, 'alone', (SELECT min(hash) FROM dag), at, 'schedule',
    CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'success' END, 0, at, at, at + interval '1 minute',
    CASE WHEN n % 50 = 0 THEN 'task "t3" failed: no' END
FROM generate_series(1, {RUNS}) AS n CROSS JOIN LATERAL (SELECT now() - n * interval '5 minutes' AS at) AS made;
INSERT INTO task (run_id, dag, name, kind, state, rule, upstream, attempt, started_at, ended_at)
SELECT run.id, run.dag, 't' || n, 'noop', 'success', 'all_success', least(n - 1, 1), 1, run.started_at, run.ended_at
FROM run CROSS JOIN generate_series(1, {TASKS}) AS n;
INSERT INTO task_edge (run_id, parent, child)
SELECT run.id, 't' || n, 't' || n + 1 FROM run CROSS JOIN generate_series(1, {TASKS} - 1) AS n;
INSERT INTO attempt (attempt_id, run_id, task, attempt, state, started_at, ended_at)
SELECT gen_random_uuid(), run_id, name, 1, 'success', started_at, ended_at FROM task;
VACUUM ANALYZE
