SELECT * FROM run
WHERE ($1::text IS NULL OR dag = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::uuid IS NULL OR (made_at, id) < (SELECT made_at, id FROM run WHERE id = $3))
ORDER BY made_at DESC, id DESC
LIMIT $4
