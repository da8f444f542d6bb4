-- `part`, not `answer`: an answer tells earlier attempts of the same task again.
SELECT source,
       coalesce(sum((part->>'fetched')::bigint), 0)::bigint AS fetched,
       coalesce(sum((part->>'rejected')::bigint), 0)::bigint AS rejected
FROM fetch_attempt
GROUP BY source
