-- Backfills with what became of their runs. $1 is one of them, $2 a DAG; only those that are older than $4.
SELECT b.*,
    count(r.id) FILTER (WHERE r.state = 'queued')    AS queued,
    count(r.id) FILTER (WHERE r.state = 'running')   AS active,
    count(r.id) FILTER (WHERE r.state = 'success')   AS success,
    count(r.id) FILTER (WHERE r.state = 'failed')    AS failed,
    count(r.id) FILTER (WHERE r.state = 'cancelled') AS cancelled
FROM (
    SELECT * FROM backfill
    WHERE ($1::uuid IS NULL OR id = $1) AND ($2::text IS NULL OR dag = $2)
      AND ($4::uuid IS NULL OR (made_at, id) < (SELECT made_at, id FROM backfill WHERE id = $4))
    ORDER BY made_at DESC, id DESC LIMIT $3
) b LEFT JOIN run r ON r.backfill = b.id
GROUP BY b.id, b.dag, b.from_at, b.to_at, b.reprocess, b.max_active, b.state, b.who, b.why, b.made_at
ORDER BY b.made_at DESC, b.id DESC
