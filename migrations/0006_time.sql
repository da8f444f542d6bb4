-- What a run is for, and when a pause ended.

ALTER TABLE run
    -- From, and to before; null for a run that is for an instant, its logical time.
    ADD COLUMN interval_start timestamptz,
    ADD COLUMN interval_end   timestamptz,
    -- It was too late for it, and it was told instead of started. Who clears it wants it all the same: it is not told twice.
    ADD COLUMN stale          boolean NOT NULL DEFAULT false;

ALTER TABLE dag ADD COLUMN unpaused_at timestamptz;
