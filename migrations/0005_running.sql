-- What holds tasks back, what people may say, and what they did.

ALTER TABLE run
    ADD COLUMN params          jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN max_active_runs int NOT NULL DEFAULT 1,   -- of its version; told where it is what a run waits for
    ADD COLUMN expected_in     float8,                   -- seconds after its start by which it should have ended
    ADD COLUMN expected_by     timestamptz,
    ADD COLUMN late_told_at    timestamptz;
CREATE INDEX run_past ON run (dag, logical_at);
CREATE INDEX run_running ON run (dag) WHERE state = 'running';
CREATE INDEX run_queued ON run (dag, logical_at, made_at) WHERE state = 'queued';
CREATE INDEX run_expected ON run (expected_by) WHERE late_told_at IS NULL AND expected_by IS NOT NULL AND ended_at IS NULL;
CREATE INDEX run_newest ON run (made_at DESC, id DESC);

ALTER TABLE task
    ADD COLUMN dag             text NOT NULL DEFAULT '',  -- its run's, so that a claim can take turns without a join
    ADD COLUMN pool            text NOT NULL DEFAULT 'default',
    ADD COLUMN slots           int NOT NULL DEFAULT 1,
    ADD COLUMN priority        int NOT NULL DEFAULT 0,
    ADD COLUMN tasks_max       int,                       -- of the DAG's tasks that run at once
    ADD COLUMN depends_on_past boolean NOT NULL DEFAULT false,
    ADD COLUMN teardown        boolean NOT NULL DEFAULT false,
    ADD COLUMN tries_before    int NOT NULL DEFAULT 0,    -- tries of before it was last cleared
    ADD COLUMN expected_in     float8,
    ADD COLUMN expected_by     timestamptz,
    ADD COLUMN late_told_at    timestamptz;
UPDATE task SET dag = run.dag FROM run WHERE run.id = task.run_id;
DROP INDEX task_ready;
-- In the order in which one DAG's tasks of one pool are claimed.
CREATE INDEX task_ready ON task (pool, dag, priority DESC, ready_at) WHERE state IN ('ready', 'retrying');
-- When the next retry or look is due.
CREATE INDEX task_later ON task (ready_at) WHERE state IN ('ready', 'retrying');
CREATE INDEX task_expected ON task (expected_by) WHERE late_told_at IS NULL AND expected_by IS NOT NULL AND ended_at IS NULL;

-- Whether the parent is a setup whose end decides for its teardown.
ALTER TABLE task_edge ADD COLUMN setup boolean NOT NULL DEFAULT false;

CREATE TABLE pool (
    name  text PRIMARY KEY,
    slots int NOT NULL
);
-- What only looks takes no slot: it is counted where there is always room.
INSERT INTO pool (name, slots) VALUES ('default', 128), ('-', 1000000);

-- What somebody should know, told once.
CREATE TABLE notice (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    kind   text NOT NULL,                -- deadline
    run_id uuid NOT NULL REFERENCES run ON DELETE CASCADE,
    task   text,
    text   text NOT NULL
);
CREATE INDEX notice_by_run ON notice (run_id, id);

-- Who did what by hand, and why. It outlives the run.
CREATE TABLE action (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    who    text NOT NULL,
    what   text NOT NULL,                -- trigger, pause, unpause, cancel, clear, mark, approve
    why    text,
    dag    text NOT NULL,
    run_id uuid,
    task   text,
    detail jsonb
);
CREATE INDEX action_by_run ON action (run_id, id);
CREATE INDEX action_by_dag ON action (dag, id);
