INSERT INTO action (who, what, why, dag, run_id, detail)
SELECT who, 'trigger', why, dag, run_id, detail
FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::jsonb[]) AS made (who, why, dag, run_id, detail)
