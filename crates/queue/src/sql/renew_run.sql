-- A run goes on with another version. Parameters that it was given stay; those that are new there have their defaults.
UPDATE run SET pipeline = $2, hash = $3, max_active_runs = $4, expected_in = $5, params = $6 || params, timeout_in = $7::bigint
WHERE id = $1
