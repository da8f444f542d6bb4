INSERT INTO sink_status AS s (table_name, pipeline, store, rows, dead, problem) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (table_name) DO UPDATE SET
    pipeline = excluded.pipeline, store = excluded.store, rows = s.rows + excluded.rows, dead = s.dead + excluded.dead,
    problem = excluded.problem, updated_at = now()
