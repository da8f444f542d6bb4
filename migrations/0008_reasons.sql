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

-- Who is told of a DAG's runs: a name of [notifications] in the scheduler's configuration.
CREATE TABLE dag_notify (
    dag      text NOT NULL,
    channel  text NOT NULL,
    pipeline text NOT NULL,
    failed   boolean NOT NULL DEFAULT false,   -- the DAG's last run that ended has failed
    PRIMARY KEY (dag, channel)
);

-- What is to be told. Written in the transaction of what happened, sent later, at least once.
CREATE TABLE notification (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key     text NOT NULL UNIQUE,        -- goes out with it, so that who hears it twice can tell
    channel text NOT NULL,
    kind    text NOT NULL,               -- failure, deadline, recovery
    dag     text NOT NULL,
    run_id  uuid NOT NULL,
    task    text,
    text    text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    state   text NOT NULL DEFAULT 'waiting',   -- waiting, sent, failed
    tries   int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    problem text                         -- of the last try
);
CREATE INDEX notification_waiting ON notification (next_at) WHERE state = 'waiting';

-- A trigger, because a run ends in more than one place. A mark that leaves a failed run failed tells nothing new: the number of
-- tries is the same.
CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'failed' THEN
        INSERT INTO notification (key, channel, kind, dag, run_id, text)
        SELECT format('failure:%s:%s:%s', NEW.id, (SELECT coalesce(sum(attempt), 0) FROM task WHERE run_id = NEW.id), n.channel),
            n.channel, 'failure', NEW.dag, NEW.id,
            format('the run of DAG "%s" for %s failed: %s', NEW.dag, to_char(NEW.logical_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), NEW.reason)
        FROM dag_notify n WHERE n.dag = NEW.dag
        ON CONFLICT DO NOTHING;
        IF FOUND THEN PERFORM pg_notify('millrace_notifications', ''); END IF;
        UPDATE dag_notify SET failed = true WHERE dag = NEW.dag AND NOT failed;
    ELSE
        WITH well AS (
            UPDATE dag_notify SET failed = false WHERE dag = NEW.dag AND failed RETURNING channel
        )
        INSERT INTO notification (key, channel, kind, dag, run_id, text)
        SELECT format('recovery:%s:%s:%s', NEW.id, (SELECT coalesce(sum(attempt), 0) FROM task WHERE run_id = NEW.id), channel),
            channel, 'recovery', NEW.dag, NEW.id,
            format('the run of DAG "%s" for %s succeeded, after one that failed', NEW.dag, to_char(NEW.logical_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
        FROM well
        ON CONFLICT DO NOTHING;
        IF FOUND THEN PERFORM pg_notify('millrace_notifications', ''); END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER run_ended AFTER UPDATE OF state ON run FOR EACH ROW
    WHEN (NEW.state IN ('success', 'failed') AND OLD.state <> NEW.state)
    EXECUTE FUNCTION note_end();

CREATE FUNCTION note_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notification (key, channel, kind, dag, run_id, task, text)
    SELECT format('%s:%s:%s:%s', NEW.kind, NEW.run_id, NEW.id, n.channel), n.channel, NEW.kind, r.dag, NEW.run_id, NEW.task, NEW.text
    FROM run r JOIN dag_notify n ON n.dag = r.dag WHERE r.id = NEW.run_id;
    IF FOUND THEN PERFORM pg_notify('millrace_notifications', ''); END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER notice_made AFTER INSERT ON notice FOR EACH ROW EXECUTE FUNCTION note_notice();

-- error, warn, info or debug, as its words say.
ALTER TABLE task_log ADD COLUMN level text NOT NULL DEFAULT 'info';
