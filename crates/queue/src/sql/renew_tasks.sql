-- $1 run, $2 the tasks as another version has them, $3 how many of the DAG may run at once. What runs or has ended stays as it was:
-- it is the old version's. A task that has items keeps the rule by which it waits for them.
WITH new AS (
    SELECT * FROM jsonb_to_recordset($2) AS new (
        name text, kind text, rule text, pool text, slots int, priority int, depends_on_past boolean, expected_in float8)
)
UPDATE task t SET
    kind = CASE WHEN t.map_of IS NULL THEN new.kind ELSE t.kind END,
    rule = CASE WHEN t.map_of IS NULL AND t.rule_before IS NULL THEN new.rule ELSE t.rule END,
    rule_before = CASE WHEN t.rule_before IS NULL THEN NULL ELSE new.rule END,
    pool = CASE WHEN t.map_of IS NULL THEN new.pool ELSE t.pool END,
    slots = CASE WHEN t.map_of IS NULL THEN new.slots ELSE t.slots END,
    priority = new.priority, depends_on_past = new.depends_on_past, tasks_max = $3,
    expected_by = CASE WHEN t.map_of IS NULL THEN t.expected_by + (new.expected_in - t.expected_in) * interval '1 second' END,
    expected_in = CASE WHEN t.map_of IS NULL THEN new.expected_in END
FROM new
WHERE t.run_id = $1 AND coalesce(t.map_of, t.name) = new.name AND t.state IN ('waiting', 'ready', 'retrying')
