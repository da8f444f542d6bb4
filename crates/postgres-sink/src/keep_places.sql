INSERT INTO _millrace_offset AS o (table_name, topic_id, partition, next)
SELECT $1, $2, * FROM unnest($3::int[], $4::bigint[])
ON CONFLICT (table_name, topic_id, partition) DO UPDATE SET next = excluded.next WHERE o.next < excluded.next
