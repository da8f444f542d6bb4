INSERT INTO worker (name, address, capacity) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET address = excluded.address, capacity = excluded.capacity, heartbeat_at = now()
