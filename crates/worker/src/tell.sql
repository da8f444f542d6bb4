-- Counts are what is new since the last time; only the slot's worker may tell.
UPDATE slot SET
    state = $4, reason = $5,
    rows_in = rows_in + $6, rows_out = rows_out + $7, dead = dead + $8, late = late + $9, filtered = filtered + $10,
    state_rows = $11, watermark = $12, updated_at = now()
WHERE job = $1 AND slot = $2 AND worker = $3
