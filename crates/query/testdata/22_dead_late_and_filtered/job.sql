SELECT k, window_start, count(*) AS n, sum(CAST(v AS INT)) AS total, avg(w) AS mean, min(v) AS least,
       count(*) FILTER (WHERE w > 2) AS big
FROM tumble(events, at, INTERVAL '2' SECOND)
WHERE k <> 'z'
GROUP BY k, window_start, window_end
HAVING count(*) > 0
