-- $1 run, $2 task, $3 attempt, $4 items, $5 kind, $6 pool, $7 slots, $8 how many are open at once. Only the holder of this
-- attempt makes items, once. An item waits for a place that nobody but sql/release_items.sql gives it: it counts one parent,
-- and no edge leads to it.
WITH expanded AS (
    UPDATE task SET state = 'waiting', deferred = true, attempt_id = NULL, lease_until = NULL, reason = NULL,
        rule_before = rule, rule = 'all_done', items_max = $8, upstream = upstream + jsonb_array_length($4)
    WHERE run_id = $1 AND name = $2 AND attempt_id = $3 AND state = 'running' AND rule_before IS NULL
    RETURNING run_id, dag, name, priority, tasks_max, teardown
), made AS (
    INSERT INTO task (run_id, dag, name, kind, state, rule, upstream, pool, slots, priority, tasks_max, teardown,
        map_of, map_index, item, attempt, tries_before)
    SELECT e.run_id, e.dag, new.name, $5, 'waiting', 'all_success', 1, $6, $7, e.priority, e.tasks_max, e.teardown,
        e.name, new.place - 1, new.item, new.tried, new.tried
    FROM expanded e CROSS JOIN LATERAL (
        SELECT format('%s[%s]', e.name, i.place - 1) AS name, i.place, i.item,
            -- Where the task was cleared, items of these names were there before: their tries stay, and are counted on.
            coalesce((SELECT max(a.attempt) FROM attempt a
                WHERE a.run_id = $1 AND a.task = format('%s[%s]', e.name, i.place - 1)), 0) AS tried
        FROM jsonb_array_elements($4) WITH ORDINALITY AS i (item, place)
    ) new
    RETURNING name
), joined AS (
    INSERT INTO task_edge (run_id, parent, child) SELECT $1, name, $2 FROM made
)
UPDATE run SET tasks_left = tasks_left + (SELECT count(*) FROM made)
WHERE id = $1 AND EXISTS (SELECT FROM expanded)
