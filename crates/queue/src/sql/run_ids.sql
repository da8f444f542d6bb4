-- Runs by DAG, state and logical time, the oldest first.
SELECT id FROM run
WHERE ($1::text IS NULL OR dag = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::timestamptz IS NULL OR logical_at >= $3) AND ($4::timestamptz IS NULL OR logical_at <= $4)
ORDER BY made_at, id LIMIT $5
