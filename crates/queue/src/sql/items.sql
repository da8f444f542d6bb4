-- $1 run, $2 task, $3 bytes that all results together may have: beyond, none of them is read.
SELECT name, state, reason, result_bytes, CASE WHEN result_bytes <= $3 THEN result END AS result
FROM (
    SELECT name, state, reason, result, map_index,
        coalesce(sum(octet_length(result::text)) OVER (), 0)::bigint AS result_bytes
    FROM task WHERE run_id = $1 AND map_of = $2
) i ORDER BY map_index
