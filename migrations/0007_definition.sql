-- Tasks that are done once for each item, tasks that a branch left out, and named values.

ALTER TABLE task
    ADD COLUMN map_of      text,         -- of an item: the task that it is an item of
    ADD COLUMN map_index   int,
    ADD COLUMN item        jsonb,
    -- Of a task with items that has them: the rule that it had before. With them it waits for all to end, under another one.
    ADD COLUMN rule_before text,
    ADD COLUMN items_max   int,          -- of its items, so many are open at once
    ADD COLUMN skipped_by  text;         -- the branch that left it out
CREATE INDEX task_item_waiting ON task (run_id, map_of, map_index) WHERE map_of IS NOT NULL AND state = 'waiting';
CREATE INDEX task_item_open ON task (run_id, map_of)
    WHERE map_of IS NOT NULL AND state IN ('ready', 'retrying', 'running');
-- Parents of a task are looked up by it where they are counted anew.
CREATE INDEX task_edge_by_child ON task_edge (run_id, child);

-- Fields of a connection, or a variable, as JSON: AES-256-GCM under the key of the environment, after its nonce.
CREATE TABLE named_value (
    kind       text NOT NULL,            -- connection, variable
    name       text NOT NULL,
    sealed     bytea NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL,
    PRIMARY KEY (kind, name)
);
