-- What pipeline $1 says of its DAGs, and of those that it has no more; $2 has pairs of a DAG's name and what is said.
WITH told AS (
    SELECT pair ->> 0 AS dag, said.* FROM jsonb_array_elements($2) AS pairs (pair)
    CROSS JOIN LATERAL jsonb_to_record(pair -> 1) AS said (tags text[], owner text, doc text)
), gone AS (
    DELETE FROM dag_about WHERE pipeline = $1 AND dag NOT IN (SELECT dag FROM told)
)
INSERT INTO dag_about (dag, pipeline, tags, owner, doc) SELECT dag, $1, tags, owner, doc FROM told
ON CONFLICT (dag) DO UPDATE SET pipeline = $1, tags = excluded.tags, owner = excluded.owner, doc = excluded.doc
