-- Runs whose keys are new, $1 to $16 have one of each. One that it is too late for is told at once, and never begins.
WITH asked AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
        $8::timestamptz[], $9::text[], $10::int[], $11::jsonb[], $12::int[], $13::bigint[], $14::float8[], $15::jsonb[], $16::text[])
        AS asked (id, key, dag, pipeline, hash, logical_at, interval_start, interval_end, cause, tasks, params, max_active_runs,
            timeout_seconds, expected_in, event, skipped)
), fresh AS (
    INSERT INTO run_key (key, run_id) SELECT key, id FROM asked ON CONFLICT DO NOTHING RETURNING run_id
), made AS (
    INSERT INTO run (id, dag, pipeline, hash, logical_at, interval_start, interval_end, cause, params, max_active_runs,
        timeout_in, expected_in, event, state, tasks_left, stale, reason, ended_at)
    SELECT id, dag, pipeline, hash, logical_at, interval_start, interval_end, cause, params, max_active_runs,
        timeout_seconds, expected_in, event,
        CASE WHEN skipped IS NULL THEN 'queued' ELSE 'cancelled' END, CASE WHEN skipped IS NULL THEN tasks ELSE 0 END,
        skipped IS NOT NULL, skipped, CASE WHEN skipped IS NOT NULL THEN now() END
    FROM asked JOIN fresh ON fresh.run_id = asked.id
)
SELECT run_id FROM fresh
