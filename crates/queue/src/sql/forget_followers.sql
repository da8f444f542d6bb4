-- $1 pipeline, $2 DAGs, $3 whom each of them follows.
DELETE FROM dag_after a
WHERE a.pipeline = $1 AND NOT EXISTS (
    SELECT FROM unnest($2::text[], $3::text[]) AS kept (dag, upstream) WHERE kept.dag = a.dag AND kept.upstream = a.upstream
)
