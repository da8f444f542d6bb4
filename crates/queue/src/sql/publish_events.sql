-- $1 pipeline, $2 DAGs, $3 the topic of each. Who changes the topic begins anew.
INSERT INTO dag_place (pipeline, dag, topic)
SELECT $1, dag, topic FROM unnest($2::text[], $3::text[]) AS new (dag, topic)
ON CONFLICT (dag) DO UPDATE SET
    pipeline = excluded.pipeline, topic = excluded.topic, version = dag_place.version + 1,
    looked = dag_place.looked AND dag_place.topic = excluded.topic,
    topic_id = CASE WHEN dag_place.topic = excluded.topic THEN dag_place.topic_id END,
    places = CASE WHEN dag_place.topic = excluded.topic THEN dag_place.places ELSE '{}' END,
    since = CASE WHEN dag_place.topic = excluded.topic THEN dag_place.since END
