UPDATE notification n SET tries = n.tries + 1, next_at = now() + $2 * interval '1 second'
FROM (
    SELECT id FROM notification WHERE state = 'waiting' AND next_at <= now()
    ORDER BY next_at LIMIT $1
    FOR UPDATE SKIP LOCKED
) due
WHERE n.id = due.id
RETURNING n.*
