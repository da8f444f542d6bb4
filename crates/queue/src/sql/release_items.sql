-- $1 run, $2 task: the next of its items, in their order, as many as there is room for.
UPDATE task SET state = 'ready', ready_at = now()
WHERE run_id = $1 AND state = 'waiting' AND name IN (
    SELECT name FROM task WHERE run_id = $1 AND map_of = $2 AND state = 'waiting' ORDER BY map_index
    LIMIT (
        -- Without a bound: all.
        SELECT CASE WHEN m.items_max IS NOT NULL THEN greatest(0, m.items_max - (SELECT count(*) FROM task o
            WHERE o.run_id = $1 AND o.map_of = $2 AND o.state IN ('ready', 'retrying', 'running'))) END
        FROM task m WHERE m.run_id = $1 AND m.name = $2
    )
)
