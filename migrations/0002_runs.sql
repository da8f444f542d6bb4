-- Runs and tasks. A claim is a lease with an attempt_id; every write of a result names it.

CREATE TABLE dag (
    name         text PRIMARY KEY,
    pipeline     text NOT NULL,
    hash         text NOT NULL,          -- of the pipeline's version that it belongs to
    paused       boolean NOT NULL DEFAULT false,
    retired      boolean NOT NULL DEFAULT false,
    first_at     timestamptz NOT NULL DEFAULT now(),
    last_logical timestamptz,            -- of the newest scheduled run
    next_at      timestamptz             -- when to look whether it is due
);

-- One run for each reason to run: the key is the identity, and it outlives the run's rows.
CREATE TABLE run_key (
    key     text PRIMARY KEY,            -- schedule:<dag>:<time>, manual:<idempotency key>
    run_id  uuid NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE run (
    id         uuid PRIMARY KEY,
    dag        text NOT NULL,
    pipeline   text NOT NULL,
    hash       text NOT NULL,            -- a run keeps the version that it started with
    logical_at timestamptz NOT NULL,
    cause      text NOT NULL,            -- schedule, manual, first
    state      text NOT NULL,
    reason     text,
    tasks_left int NOT NULL,
    deadline   timestamptz,
    made_at    timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at   timestamptz
);
CREATE INDEX run_by_dag ON run (dag, made_at DESC);
CREATE INDEX run_open ON run (dag) WHERE state IN ('queued', 'running');

CREATE TABLE task (
    run_id          uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    name            text NOT NULL,
    kind            text NOT NULL,
    state           text NOT NULL,
    rule            text NOT NULL,
    -- Counters of parents, one per state: finishing a task costs O(children), nothing is scanned.
    upstream        int NOT NULL,
    success         int NOT NULL DEFAULT 0,
    skipped         int NOT NULL DEFAULT 0,
    failed          int NOT NULL DEFAULT 0,
    upstream_failed int NOT NULL DEFAULT 0,
    removed         int NOT NULL DEFAULT 0,
    setups          int NOT NULL DEFAULT 0,
    setup_success   int NOT NULL DEFAULT 0,
    setup_skipped   int NOT NULL DEFAULT 0,
    attempt         int NOT NULL DEFAULT 0,      -- tries that were begun
    attempt_id      uuid,
    deferred        boolean NOT NULL DEFAULT false,  -- looked and must look again: no new try
    rescues         int NOT NULL DEFAULT 0,      -- times that its holder fell silent
    lease_until     timestamptz,
    holder          text,
    ready_at        timestamptz,                 -- not before
    deadline        timestamptz,                 -- of the attempt
    started_at      timestamptz,
    ended_at        timestamptz,
    result          jsonb,
    reason          text,
    PRIMARY KEY (run_id, name)
);
CREATE INDEX task_ready ON task (ready_at) WHERE state IN ('ready', 'retrying');
CREATE INDEX task_leased ON task (lease_until) WHERE state = 'running';

CREATE TABLE task_edge (
    run_id uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    parent text NOT NULL,
    child  text NOT NULL,
    PRIMARY KEY (run_id, parent, child)
);

CREATE TABLE attempt (
    attempt_id uuid PRIMARY KEY,
    run_id     uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    task       text NOT NULL,
    attempt    int NOT NULL,
    state      text NOT NULL,
    reason     text,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);
CREATE INDEX attempt_by_task ON attempt (run_id, task, attempt);

CREATE TABLE task_log (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id  uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    task    text NOT NULL,
    attempt int NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    line    text NOT NULL
);
CREATE INDEX task_log_by_task ON task_log (run_id, task, id);
