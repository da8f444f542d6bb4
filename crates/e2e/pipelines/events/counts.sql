-- All events by key and minute: the state that must outlive its worker.
SELECT key, window_start, window_end, count(*) AS n
FROM tumble(events, at, INTERVAL '1' MINUTE)
GROUP BY key, window_start, window_end
