-- The same tasks for each of some new runs.
WITH new AS (
    SELECT * FROM jsonb_to_recordset($5) AS new (
        name text, kind text, rule text, after jsonb, teardown_of jsonb, pool text, slots int, priority int,
        depends_on_past boolean, expected_in float8)
), made AS (
    INSERT INTO task (run_id, dag, name, kind, state, rule, upstream, setups, pool, slots, priority, tasks_max,
        depends_on_past, teardown, expected_in)
    SELECT run.id, $2, name, kind, $3, rule, jsonb_array_length(after), jsonb_array_length(teardown_of), pool, slots, priority, $4,
        depends_on_past, jsonb_array_length(teardown_of) > 0, expected_in
    FROM unnest($1::uuid[]) AS run (id) CROSS JOIN new
)
INSERT INTO task_edge (run_id, parent, child, setup)
SELECT run.id, parent, name, teardown_of @> to_jsonb(parent)
FROM unnest($1::uuid[]) AS run (id) CROSS JOIN new CROSS JOIN LATERAL jsonb_array_elements_text(after) AS parent
