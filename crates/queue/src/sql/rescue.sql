-- $1 run, $2 task, $3 why, $4 how often it may lose its holder. The try that was lost ends here: its holder will not end it.
WITH lost AS (
    UPDATE task SET
        state = CASE WHEN rescues + 1 > $4 THEN 'failed' ELSE 'ready' END,
        ended_at = CASE WHEN rescues + 1 > $4 THEN now() END,
        ready_at = now(), rescues = rescues + 1, reason = $3, attempt_id = NULL, lease_until = NULL
    WHERE run_id = $1 AND name = $2 AND state = 'running' AND lease_until < now()
    RETURNING name, state
), tried AS (
    UPDATE attempt a SET state = 'failed', reason = $3, ended_at = now()
    FROM lost WHERE a.run_id = $1 AND a.task = lost.name AND a.ended_at IS NULL
)
SELECT state FROM lost
