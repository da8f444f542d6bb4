-- Without its attempt_id, no answer of what still runs can match. Items that are open end with their task.
WITH marked AS (
    UPDATE task SET state = $3, reason = $4, ended_at = now(), attempt_id = NULL, lease_until = NULL, deferred = false,
        skipped_by = NULL
    WHERE run_id = $1 AND (name = $2 OR map_of = $2 AND ended_at IS NULL)
    RETURNING name
), stopped AS (
    UPDATE attempt a SET state = $3, reason = $4, ended_at = now()
    FROM marked m WHERE a.run_id = $1 AND a.task = m.name AND a.ended_at IS NULL
)
SELECT count(*) AS marked FROM marked
