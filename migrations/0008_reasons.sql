-- Runs for other reasons than a schedule.

-- A range of due times that a person asked for. Its runs have a lane of their own: so many of them are open at once, and no
-- scheduled run waits for them.
CREATE TABLE backfill (
    id         uuid PRIMARY KEY,
    dag        text NOT NULL,
    from_at    timestamptz NOT NULL,
    to_at      timestamptz NOT NULL,     -- included
    reprocess  text NOT NULL,            -- none, failed, all: which runs that were there run again
    max_active int NOT NULL,
    state      text NOT NULL DEFAULT 'running',   -- running, paused, cancelled; whether it is done, its runs say
    who        text NOT NULL,
    why        text,
    made_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX backfill_by_dag ON backfill (dag, made_at DESC);

ALTER TABLE run
    ADD COLUMN backfill   uuid REFERENCES backfill,
    ADD COLUMN timeout_in float8;        -- seconds after its start by which it must have ended; where null, `deadline` is set at once
CREATE INDEX run_of_backfill ON run (backfill, state) WHERE backfill IS NOT NULL;

-- Which records of a topic have been in a run of a DAG. Place and run are written in one transaction.
CREATE TABLE dag_place (
    dag      text PRIMARY KEY,
    pipeline text NOT NULL,
    topic    text NOT NULL,
    looked   boolean NOT NULL DEFAULT false,   -- whether it is settled where the first run begins
    topic_id uuid,                       -- Kafka's: a topic that is made again is another one
    places   jsonb NOT NULL DEFAULT '{}',      -- per partition, the offset that is next to be in a run
    since    timestamptz,                -- when records were first seen that are too few for a run
    version  bigint NOT NULL DEFAULT 0   -- compare-and-set
);

ALTER TABLE run ADD COLUMN event jsonb;  -- {topic, from, to, records}: what the run is for
