-- How many users came from each country in each minute, by the time they were fetched.
SELECT country, window_start, window_end, count(*) AS signups
FROM tumble(users, fetched_at, INTERVAL '1' MINUTE)
GROUP BY country, window_start, window_end
