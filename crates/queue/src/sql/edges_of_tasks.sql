-- Who waits for whom among the tasks of the file, as it says: items are parents, too, and no task of the file.
SELECT e.parent, e.child, e.setup FROM task_edge e
JOIN task parent ON parent.run_id = e.run_id AND parent.name = e.parent AND parent.map_of IS NULL
WHERE e.run_id = $1 AND NOT e.implied
