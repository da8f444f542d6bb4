-- Until the end of the transaction; $1 is false where a test takes the lock away. Answers in how many seconds the next retry or look is due, where there is one.
SELECT CASE WHEN $1 THEN pg_advisory_xact_lock(hashtext('millrace claim')) END, set_config('synchronous_commit', 'off', true),
    -- Planning a claim takes as long as a claim.
    set_config('plan_cache_mode', 'force_generic_plan', true),
    (SELECT extract(epoch FROM min(ready_at) - clock_timestamp())::float8 FROM task
     WHERE state IN ('ready', 'retrying') AND ready_at > now()) AS seconds
