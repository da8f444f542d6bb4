SELECT window_start, max(v) AS top
FROM tumble(events, at, INTERVAL '1' HOUR)
GROUP BY window_start, window_end
