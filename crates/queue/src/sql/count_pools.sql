-- A task starves where its pool has less room than it needs.
WITH used AS (
    SELECT p.name, p.slots::bigint AS slots, coalesce(sum(t.slots), 0)::bigint AS used
    FROM pool p LEFT JOIN task t ON t.pool = p.name AND t.state = 'running'
    WHERE p.name <> '-' GROUP BY p.name, p.slots
)
SELECT u.name, u.slots, u.used, (
    SELECT count(*) FROM task t WHERE t.pool = u.name AND t.state IN ('ready', 'retrying') AND t.ready_at <= now()
        AND least(t.slots, u.slots) > u.slots - u.used) AS starving
FROM used u ORDER BY u.name
