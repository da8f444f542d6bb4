-- The events that are to be kept: the dead ones never get here, the filtered ones no further.
SELECT id, key, seq, at, fate FROM events WHERE fate <> 'filtered'
