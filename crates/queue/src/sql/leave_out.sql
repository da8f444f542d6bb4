-- $1 run, $2 tasks, $3 the branch, $4 the reason. What a branch does not choose and has not begun.
UPDATE task SET state = 'skipped', reason = $4, skipped_by = $3, ended_at = now()
WHERE run_id = $1 AND name = ANY ($2) AND state = 'waiting' AND rule_before IS NULL
RETURNING name
