-- What there is to do beside tasks. Each answer is by an index, or by a table as small as what is open.
SELECT
    EXISTS (SELECT FROM dag WHERE NOT retired AND NOT paused AND next_at <= now()) AS due,
    EXISTS (SELECT FROM dag_success s JOIN dag d ON d.name = s.dag WHERE NOT d.retired AND NOT d.paused) AS successes,
    EXISTS (SELECT FROM task WHERE state = 'running' AND lease_until < now()) AS lost,
    EXISTS (SELECT FROM run WHERE state = 'running' AND deadline < now()) AS overdue,
    EXISTS (SELECT FROM run WHERE state = 'queued') AS queued,
    EXISTS (SELECT FROM task WHERE state IN ('ready', 'retrying') AND ready_at <= now()) AS ready,
    EXISTS (SELECT FROM run WHERE late_told_at IS NULL AND expected_by < now() AND ended_at IS NULL)
        OR EXISTS (SELECT FROM task WHERE late_told_at IS NULL AND expected_by < now() AND ended_at IS NULL) AS late,
    (SELECT extract(epoch FROM min(next_at) - clock_timestamp())::float8 FROM dag
     WHERE NOT retired AND NOT paused AND next_at > now()) AS next_in
