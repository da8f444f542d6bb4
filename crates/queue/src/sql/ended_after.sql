-- The newest ends are left for the next time: who ended a run a moment ago may not have committed yet, and would be missed. Ends of one
-- transaction have one time, and come together.
SELECT dag, state, extract(epoch FROM ended_at - coalesce(started_at, made_at))::float8 AS seconds, ended_at
FROM run WHERE ended_at > $1 AND ended_at < now() - interval '2 seconds'
ORDER BY ended_at FETCH FIRST $2 ROWS WITH TIES
