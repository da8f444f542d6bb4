INSERT INTO dag (name, pipeline, hash, paused, next_at)
SELECT name, $1, $2, paused, now() FROM unnest($3::text[], $4::boolean[]) AS new (name, paused)
ON CONFLICT (name) DO UPDATE SET
    pipeline = excluded.pipeline, hash = excluded.hash, retired = false,
    next_at = CASE WHEN dag.hash <> excluded.hash OR dag.retired THEN now() ELSE dag.next_at END
