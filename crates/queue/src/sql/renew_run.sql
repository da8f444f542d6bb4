-- A run goes on with another version. Parameters that it was given stay; those that are new there have their defaults.
UPDATE run SET pipeline = $2, hash = $3, max_active_runs = $4, expected_in = $5, timeout_in = $6, params = $7 || params WHERE id = $1
