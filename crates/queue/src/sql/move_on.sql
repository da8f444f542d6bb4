-- $1 DAGs, $2 the newest logical time of each, $3 where its interval ends, $4 when it is looked at next, $5 when that was to be when it
-- was looked at; $6 takes that guard away.
WITH ours AS (
    SELECT d.name, new.last, new.last_end, new.next FROM dag d
    JOIN unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
        AS new (name, last, last_end, next, seen)
      ON new.name = d.name
    WHERE (d.next_at = new.seen OR $6) AND NOT d.paused
    -- In one order everywhere, or two who look at the same DAGs would wait for each other.
    ORDER BY d.name FOR NO KEY UPDATE OF d
)
UPDATE dag SET last_logical = ours.last, last_end = ours.last_end, next_at = ours.next FROM ours WHERE dag.name = ours.name
RETURNING dag.name
