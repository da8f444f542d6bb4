SELECT * FROM task_log
WHERE run_id = $1 AND task = $2 AND id > $6
  AND ($3::int IS NULL OR attempt = $3)
  AND ($4::text[] IS NULL OR level = ANY ($4))
  -- As it is read: colours may cut a word in two. A sequence is what ansi.rs takes for one; an escape that begins none is not shown.
  AND ($5::text IS NULL OR position(lower($5) IN lower(regexp_replace(line, '\x1b(\[[^@-~]*[@-~])?', '', 'g'))) > 0)
ORDER BY id
LIMIT $7
