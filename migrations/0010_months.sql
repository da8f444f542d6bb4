-- What has run lies in months, by the moment at which its run was made: an id of a run begins with it (UUID, version 7). A month that
-- nobody needs any more is dropped whole. What no month is made for lies in the tables as they were.

ALTER TABLE notice DROP CONSTRAINT notice_run_id_fkey;
DROP TRIGGER run_success ON run;
DROP TRIGGER run_ended ON run;

-- A key must have the run in it. These are what rows are looked up by.
ALTER TABLE attempt DROP CONSTRAINT attempt_pkey;
DROP INDEX attempt_by_task;
ALTER TABLE attempt ADD PRIMARY KEY (run_id, task, attempt);
ALTER TABLE task_log DROP CONSTRAINT task_log_pkey;
DROP INDEX task_log_by_task;
ALTER TABLE task_log ADD PRIMARY KEY (run_id, task, id);
ALTER TABLE task_log ALTER id DROP IDENTITY;

ALTER TABLE run RENAME TO run_other;
ALTER TABLE task RENAME TO task_other;
ALTER TABLE task_edge RENAME TO task_edge_other;
ALTER TABLE attempt RENAME TO attempt_other;
ALTER TABLE task_log RENAME TO task_log_other;

CREATE TABLE run (LIKE run_other INCLUDING ALL) PARTITION BY RANGE (id);
CREATE TABLE task (LIKE task_other INCLUDING ALL) PARTITION BY RANGE (run_id);
CREATE TABLE task_edge (LIKE task_edge_other INCLUDING ALL) PARTITION BY RANGE (run_id);
CREATE TABLE attempt (LIKE attempt_other INCLUDING ALL) PARTITION BY RANGE (run_id);
CREATE TABLE task_log (LIKE task_log_other INCLUDING ALL) PARTITION BY RANGE (run_id);
CREATE SEQUENCE task_log_line OWNED BY task_log.id;
SELECT setval('task_log_line', coalesce(max(id), 0) + 1, false) FROM task_log_other;
ALTER TABLE task_log ALTER id SET DEFAULT nextval('task_log_line');

ALTER TABLE run ATTACH PARTITION run_other DEFAULT;
ALTER TABLE task ATTACH PARTITION task_other DEFAULT;
ALTER TABLE task_edge ATTACH PARTITION task_edge_other DEFAULT;
ALTER TABLE attempt ATTACH PARTITION attempt_other DEFAULT;
ALTER TABLE task_log ATTACH PARTITION task_log_other DEFAULT;

CREATE TRIGGER run_success AFTER UPDATE OF state ON run FOR EACH ROW
    WHEN (NEW.state = 'success' AND OLD.state <> 'success')
    EXECUTE FUNCTION note_success();
CREATE TRIGGER run_ended AFTER UPDATE OF state ON run FOR EACH ROW
    WHEN (NEW.state IN ('success', 'failed') AND OLD.state <> NEW.state)
    EXECUTE FUNCTION note_end();
