-- Counts are totals, NULL while they are not known; only the slot's worker may tell.
UPDATE slot SET
    state = $4, reason = $5,
    rows_in = coalesce($6, rows_in), rows_out = coalesce($7, rows_out), dead = coalesce($8, dead),
    late = coalesce($9, late), filtered = coalesce($10, filtered),
    state_rows = $11, watermark = $12, updated_at = now()
WHERE job = $1 AND slot = $2 AND worker = $3
