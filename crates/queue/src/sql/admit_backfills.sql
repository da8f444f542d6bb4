-- The oldest queued runs of each backfill that is not paused, as many as it has free places. $1 is all that one look starts.
-- A cancelled one has queued runs only where somebody cleared them since, who wants them to run.
WITH open AS (
    SELECT b.id, b.max_active - (SELECT count(*) FROM run WHERE backfill = b.id AND state = 'running') AS free
    FROM backfill b
    WHERE b.state <> 'paused' AND b.id IN (SELECT backfill FROM run WHERE state = 'queued' AND backfill IS NOT NULL)
), next AS (
    SELECT queued.id FROM open CROSS JOIN LATERAL (
        SELECT id FROM run WHERE backfill = open.id AND state = 'queued'
        ORDER BY logical_at, made_at LIMIT greatest(0, open.free)
    ) queued
    LIMIT $1
)
UPDATE run SET
    state = 'running', started_at = coalesce(started_at, now()),
    expected_by = coalesce(expected_by, now() + expected_in * interval '1 second'),
    -- They may wait for days: only from here their time counts.
    deadline = now() + timeout_in * interval '1 second'
WHERE id IN (SELECT id FROM next)
-- Again: some of its tasks have ended before, by a run or by a mark.
RETURNING id, started_at < now() OR EXISTS (SELECT FROM task t WHERE t.run_id = run.id AND t.ended_at IS NOT NULL) AS again
