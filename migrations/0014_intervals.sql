-- Where the interval of the newest scheduled run ends: after an edit of the schedule, what it covers is not covered again.
ALTER TABLE dag ADD COLUMN last_end timestamptz;
