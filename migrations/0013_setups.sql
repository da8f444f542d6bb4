-- A task waits for the setups that it needs, however far above it they are: such an edge is in no file.
ALTER TABLE task_edge ADD COLUMN implied boolean NOT NULL DEFAULT false;
