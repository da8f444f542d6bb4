-- What is published, where sources are, and which life of a topic is meant.

CREATE TABLE pipeline_version (
    pipeline text NOT NULL,
    hash     text NOT NULL,              -- SHA-256 over the files
    files    jsonb NOT NULL,             -- path in the folder -> text
    made_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, hash)
);

CREATE TABLE pipeline_current (
    pipeline     text PRIMARY KEY,
    hash         text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (pipeline, hash) REFERENCES pipeline_version
);

-- What keeps the newest edit of a pipeline from being published.
CREATE TABLE pipeline_problem (
    pipeline text NOT NULL,
    file     text NOT NULL,
    line     int  NOT NULL,
    message  text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now()
);

-- A row's version is start + offset: versions never go back when a topic is deleted and made again.
CREATE TABLE topic_incarnation (
    topic_id    uuid PRIMARY KEY,        -- Kafka's
    topic       text NOT NULL,
    start       bigint NOT NULL,         -- microseconds since 1970
    last_offset bigint NOT NULL DEFAULT 0,
    made_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX topic_incarnation_by_topic ON topic_incarnation (topic, start DESC);

CREATE TABLE source_cursor (
    source     text PRIMARY KEY,
    cursor     jsonb NOT NULL,
    version    bigint NOT NULL,          -- compare-and-set
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- A fetch is idempotent by its attempt: asked again, the stored answer is given. What an attempt wrote is counted page by page
-- in `part`, so that the next attempt of the same task knows what a crashed one wrote.
CREATE TABLE fetch_attempt (
    attempt_id uuid PRIMARY KEY,
    source     text NOT NULL,
    run_id     uuid,
    task       text,
    part       jsonb NOT NULL,           -- what this attempt did, up to its last stored page
    answer     jsonb,                    -- what was answered: this and earlier attempts together; null until it is done
    made_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fetch_attempt_by_task ON fetch_attempt (run_id, task);
CREATE INDEX fetch_attempt_by_age ON fetch_attempt (made_at);

-- The ids that a fetch of a run delivered, for the check that each has arrived.
CREATE TABLE fetched_id (
    run_id  uuid NOT NULL,
    task    text NOT NULL,
    id      text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, task, id)
);
CREATE INDEX fetched_id_by_age ON fetched_id (made_at);
