SELECT * FROM task_log
WHERE run_id = $1 AND task = $2 AND id > $6
  AND ($3::int IS NULL OR attempt = $3)
  AND ($4::text[] IS NULL OR level = ANY ($4))
  AND ($5::text IS NULL OR position(lower($5) IN lower(line)) > 0)
ORDER BY id
LIMIT $7
