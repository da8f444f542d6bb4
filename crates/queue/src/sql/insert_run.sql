INSERT INTO run (id, dag, pipeline, hash, logical_at, cause, state, tasks_left, params, max_active_runs, deadline, expected_in,
    interval_start, interval_end, event)
VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $9, now() + $10::bigint * interval '1 second', $11, $12, $13, $14)
