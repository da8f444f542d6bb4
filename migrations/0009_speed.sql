-- What belongs to a run is deleted with it by who deletes it. A reference would be checked, and the run's row locked, for each task,
-- edge, try and line that is written.
ALTER TABLE task DROP CONSTRAINT task_run_id_fkey;
ALTER TABLE task_edge DROP CONSTRAINT task_edge_run_id_fkey;
ALTER TABLE attempt DROP CONSTRAINT attempt_run_id_fkey;
ALTER TABLE task_log DROP CONSTRAINT task_log_run_id_fkey;
