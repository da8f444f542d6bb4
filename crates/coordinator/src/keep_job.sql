INSERT INTO job (name, pipeline, hash, version, slots) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET
    pipeline = excluded.pipeline, hash = excluded.hash, version = excluded.version, slots = excluded.slots, retired = false
WHERE (job.pipeline, job.hash, job.version, job.slots, job.retired)
    IS DISTINCT FROM (excluded.pipeline, excluded.hash, excluded.version, excluded.slots, false)
