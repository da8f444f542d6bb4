-- Tasks of new runs; $1 has each list of tasks with the runs that have it. In a run that was admitted, what waits for nobody is
-- ready; in one that it was too late for, nothing is to be done.
WITH new AS (
    SELECT run.id AS run_id, run.open, run.skipped, same.dag, same.tasks_max, task.*
    FROM jsonb_to_recordset($1) AS same (dag text, tasks_max int, tasks jsonb, runs jsonb)
    CROSS JOIN LATERAL jsonb_to_recordset(same.runs) AS run (id uuid, open boolean, skipped text)
    CROSS JOIN LATERAL jsonb_to_recordset(same.tasks) AS task (
        name text, kind text, rule text, after jsonb, implied jsonb, teardown_of jsonb, pool text, slots int, priority int,
        depends_on_past boolean, expected_in float8)
), made AS (
    INSERT INTO task (run_id, dag, name, kind, state, ready_at, ended_at, reason, rule, upstream, setups, pool, slots, priority,
        tasks_max, depends_on_past, teardown, expected_in, expected_by)
    SELECT run_id, dag, name, kind,
        CASE WHEN skipped IS NOT NULL THEN 'removed' WHEN open AND (after = '[]' OR rule = 'always') THEN 'ready' ELSE 'waiting' END,
        CASE WHEN open AND (after = '[]' OR rule = 'always') THEN now() END,
        CASE WHEN skipped IS NOT NULL THEN now() END,
        skipped, rule, jsonb_array_length(after), jsonb_array_length(teardown_of), pool, slots, priority,
        tasks_max, depends_on_past, teardown_of <> '[]', expected_in,
        CASE WHEN open THEN now() + expected_in * interval '1 second' END
    FROM new
)
INSERT INTO task_edge (run_id, parent, child, setup, implied)
SELECT run_id, parent, name, teardown_of @> to_jsonb(parent), implied @> to_jsonb(parent)
FROM new CROSS JOIN LATERAL jsonb_array_elements_text(after) AS parent
