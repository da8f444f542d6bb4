-- $1 pipeline, $2 DAGs, $3 whom each of them follows.
INSERT INTO dag_after (pipeline, dag, upstream)
SELECT DISTINCT $1::text, dag, upstream FROM unnest($2::text[], $3::text[]) AS new (dag, upstream)
ON CONFLICT (upstream, dag) DO UPDATE SET pipeline = excluded.pipeline
