-- $1 runs, $2 their tasks that have ended, $3 how.
WITH counting AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS counting (run_id, name, state)
)
