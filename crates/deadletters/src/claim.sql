INSERT INTO dead_letter_replay AS known (topic_id, topic, partition, letter_offset, edited)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (topic_id, partition, letter_offset) DO UPDATE
SET state = 'sending', tries = known.tries + 1, edited = excluded.edited, changed_at = now()
WHERE known.state = 'failed' OR (known.state = 'sending' AND known.changed_at < now() - interval '1 minute')
