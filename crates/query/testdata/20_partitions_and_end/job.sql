SELECT k, window_start, count(*) AS n
FROM tumble(events, at, INTERVAL '2' SECOND)
GROUP BY k, window_start, window_end
