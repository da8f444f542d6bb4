-- Streaming jobs: the coordinator writes who runs what, workers say how it goes. Leases are for liveness only.

CREATE TABLE worker (
    name         text PRIMARY KEY,
    address      text NOT NULL,
    capacity     int NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE job (
    name     text PRIMARY KEY,
    pipeline text NOT NULL,
    hash     text NOT NULL,              -- of the pipeline's version
    version  text NOT NULL,              -- of what decides the job's rows: its SQL, settings and schemas
    slots    int NOT NULL,
    wanted   text NOT NULL DEFAULT 'running',
    retired  boolean NOT NULL DEFAULT false
);

CREATE TABLE slot (
    job         text NOT NULL,
    slot        int NOT NULL,
    version     text NOT NULL,
    worker      text,                    -- who is to run it
    lease_until timestamptz,
    state       text NOT NULL DEFAULT 'waiting',   -- waiting, starting, running, failed
    reason      text,
    rows_in     bigint NOT NULL DEFAULT 0,
    rows_out    bigint NOT NULL DEFAULT 0,
    dead        bigint NOT NULL DEFAULT 0,
    late        bigint NOT NULL DEFAULT 0,
    filtered    bigint NOT NULL DEFAULT 0,
    state_rows  bigint NOT NULL DEFAULT 0,
    lag         bigint NOT NULL DEFAULT 0,
    watermark   timestamptz,
    updated_at  timestamptz,
    PRIMARY KEY (job, slot)
);

-- Counters of sinks, for `millrace status`: rows written per table.
CREATE TABLE sink_status (
    table_name text PRIMARY KEY,
    pipeline   text NOT NULL,
    store      text NOT NULL,
    rows       bigint NOT NULL DEFAULT 0,
    dead       bigint NOT NULL DEFAULT 0,
    problem    text,                     -- why it does not go on
    updated_at timestamptz NOT NULL DEFAULT now()
);
