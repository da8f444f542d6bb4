-- The oldest queued runs of each of the DAGs $1, as many as it has free of its places $2. Those of backfills have places of their own.
UPDATE run SET
    state = 'running', started_at = coalesce(started_at, now()),
    expected_by = coalesce(expected_by, now() + expected_in * interval '1 second'),
    -- Of a run that was cleared it counts anew; one that older processes made has it from the start.
    deadline = coalesce(deadline, now() + timeout_in * interval '1 second')
WHERE id IN (
    SELECT next.id FROM unnest($1::text[], $2::bigint[]) AS asked (dag, places) CROSS JOIN LATERAL (
        SELECT id FROM run
        WHERE dag = asked.dag AND state = 'queued' AND backfill IS NULL
        ORDER BY logical_at, made_at
        LIMIT greatest(0, asked.places
            - (SELECT count(*) FROM run r WHERE r.dag = asked.dag AND r.state = 'running' AND r.backfill IS NULL))
    ) next
)
-- Again: some of its tasks have ended before, by a run or by a mark.
RETURNING id, started_at < now() OR EXISTS (SELECT FROM task t WHERE t.run_id = run.id AND t.ended_at IS NOT NULL) AS again
