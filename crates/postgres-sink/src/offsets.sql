-- How far each table is, kept in the same transaction as its rows.
CREATE TABLE IF NOT EXISTS _millrace_offset (
    table_name text   NOT NULL,
    topic_id   uuid   NOT NULL,
    partition  int    NOT NULL,
    next       bigint NOT NULL,
    PRIMARY KEY (table_name, topic_id, partition)
)
