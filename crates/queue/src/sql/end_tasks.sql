-- Ends attempts, $1 to $9 have one of each; $9 says which are the ends of their tasks, to be counted. Only the holder of an attempt
-- may end it; $10 takes that guard away.
WITH asked AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::float8[], $6::jsonb[], $7::text[], $8::boolean[], $9::boolean[])
        AS asked (run_id, name, attempt_id, state, wait, result, reason, deferred, last)
), ended AS (
    UPDATE task t SET
        state = a.state,
        result = coalesce(a.result, t.result),
        reason = a.reason,
        deferred = a.deferred,
        ready_at = CASE WHEN a.wait IS NULL THEN t.ready_at ELSE now() + a.wait * interval '1 second' END,
        ended_at = CASE WHEN a.wait IS NULL THEN now() END,
        attempt_id = NULL, lease_until = NULL
    FROM asked a
    WHERE t.run_id = a.run_id AND t.name = a.name AND (t.attempt_id = a.attempt_id AND t.state = 'running' OR $10)
    RETURNING t.run_id, t.name, t.attempt, a.attempt_id, a.state, a.reason, a.deferred, a.last
), tried AS (
    -- A look that comes again is the same try.
    UPDATE attempt a SET
        state = CASE WHEN e.state = 'retrying' THEN 'failed' ELSE e.state END, reason = e.reason, ended_at = now()
    FROM ended e WHERE NOT e.deferred AND a.run_id = e.run_id AND a.task = e.name AND a.attempt = e.attempt
), counting AS (
    SELECT run_id, name, state FROM ended WHERE last
)
