INSERT INTO task (run_id, name, kind, state, rule, upstream)
SELECT $1, name, kind, $6, rule, upstream
FROM unnest($2::text[], $3::text[], $4::text[], $5::int[]) AS new (name, kind, rule, upstream)
