-- $1 pipeline, $2 DAGs, $3 a channel of each.
INSERT INTO dag_notify (pipeline, dag, channel)
SELECT DISTINCT $1::text, dag, channel FROM unnest($2::text[], $3::text[]) AS new (dag, channel)
ON CONFLICT (dag, channel) DO UPDATE SET pipeline = excluded.pipeline
