-- Of the runs $1, tasks that wait for nobody. A deadline counts from here.
UPDATE task SET
    state = CASE WHEN upstream = 0 OR rule = 'always' THEN 'ready' ELSE state END,
    ready_at = CASE WHEN upstream = 0 OR rule = 'always' THEN now() ELSE ready_at END,
    expected_by = now() + expected_in * interval '1 second'
WHERE run_id = ANY ($1) AND state = 'waiting' AND (upstream = 0 OR rule = 'always' OR expected_in IS NOT NULL)
