-- $1 runs, $2 how many of their tasks have ended.
UPDATE run r SET tasks_left = r.tasks_left - n.ended
FROM unnest($1::uuid[], $2::int[]) AS n (id, ended)
WHERE r.id = n.id
RETURNING r.id, r.tasks_left
