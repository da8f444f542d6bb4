-- Which dead letters were replayed: one row each, so that a letter is sent once.

CREATE TABLE dead_letter_replay (
    topic_id      uuid NOT NULL,         -- Kafka's: a topic that is made again has other letters at the same offsets
    topic         text NOT NULL,
    partition     int NOT NULL,
    letter_offset bigint NOT NULL,
    state         text NOT NULL DEFAULT 'sending',   -- sending, sent, failed
    tries         int NOT NULL DEFAULT 1,
    edited        boolean NOT NULL,
    reason        text,                  -- why it failed
    to_partition  int,
    to_offset     bigint,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic_id, partition, letter_offset)
);
