-- The runs of a backfill whose keys are new. With $4, also those whose run was forgotten: the key goes over to the new one.
WITH asked AS (
    SELECT * FROM jsonb_to_recordset($1) AS asked (
        id uuid, key text, logical_at timestamptz, interval_start timestamptz, interval_end timestamptz)
), fresh AS (
    INSERT INTO run_key (key, run_id) SELECT key, id FROM asked
    ON CONFLICT (key) DO UPDATE SET run_id = excluded.run_id, made_at = now()
        WHERE $4 AND NOT EXISTS (SELECT FROM run WHERE run.id = run_key.run_id)
    RETURNING run_id
)
INSERT INTO run (id, backfill, dag, pipeline, hash, logical_at, interval_start, interval_end, cause, state, tasks_left, params,
    max_active_runs, timeout_in, expected_in)
SELECT a.id, $2, n.dag, n.pipeline, n.hash, a.logical_at, a.interval_start, a.interval_end, 'backfill', 'queued', n.tasks_left,
    n.params, n.max_active_runs, n.timeout_seconds, n.expected_in
FROM asked a JOIN fresh ON fresh.run_id = a.id
CROSS JOIN jsonb_to_record($3) AS n (
    dag text, pipeline text, hash text, tasks_left int, params jsonb, max_active_runs int, timeout_seconds bigint,
    expected_in float8)
RETURNING id
