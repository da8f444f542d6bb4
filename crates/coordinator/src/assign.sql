INSERT INTO slot (job, slot, version, worker) VALUES ($1, $2, $3, $4)
ON CONFLICT (job, slot) DO UPDATE SET version = excluded.version, worker = excluded.worker, state = 'waiting', reason = NULL
