SELECT window_start, count(*) AS n
FROM tumble(events, at, INTERVAL '5' SECOND)
GROUP BY window_start, window_end
