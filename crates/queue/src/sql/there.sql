-- The runs that have some keys. A run that was forgotten leaves its key: it has no state.
SELECT k.key, k.run_id, r.state FROM run_key k LEFT JOIN run r ON r.id = k.run_id WHERE k.key = ANY ($1)
