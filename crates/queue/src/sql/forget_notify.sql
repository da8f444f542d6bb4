-- $1 pipeline, $2 DAGs, $3 a channel of each.
DELETE FROM dag_notify n
WHERE n.pipeline = $1 AND NOT EXISTS (
    SELECT FROM unnest($2::text[], $3::text[]) AS kept (dag, channel) WHERE kept.dag = n.dag AND kept.channel = n.channel
)
