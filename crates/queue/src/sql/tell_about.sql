INSERT INTO dag_about (dag, pipeline, tags, owner, doc) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (dag) DO UPDATE SET
    pipeline = excluded.pipeline, tags = excluded.tags, owner = excluded.owner, doc = excluded.doc
