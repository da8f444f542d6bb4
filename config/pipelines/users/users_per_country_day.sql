-- Run by the DAG users_daily: one row per country and day, counted anew for the two days that the run may touch.
CREATE TABLE IF NOT EXISTS users_per_country_day (
    day     text   NOT NULL,
    country text   NOT NULL,
    users   bigint NOT NULL,
    PRIMARY KEY (day, country)
);

INSERT INTO users_per_country_day (day, country, users)
SELECT day, country, count(*)
FROM users
WHERE fetched_at >= date_trunc('day', TIMESTAMPTZ '{{ logical_at }}') - INTERVAL '1 day'
GROUP BY day, country
ON CONFLICT (day, country) DO UPDATE SET users = excluded.users;
