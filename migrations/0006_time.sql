-- What a run is for, and when a pause ended.

ALTER TABLE run
    -- From, and to before; null for a run that is for an instant, its logical time.
    ADD COLUMN interval_start timestamptz,
    ADD COLUMN interval_end   timestamptz,
    -- It was too late for it, and it was told instead of started. Who clears it wants it all the same: it is not told twice.
    ADD COLUMN stale          boolean NOT NULL DEFAULT false;

ALTER TABLE dag ADD COLUMN unpaused_at timestamptz;

-- Who follows whom: each success of `upstream` is followed by one run of `dag`.
CREATE TABLE dag_after (
    upstream text NOT NULL,
    dag      text NOT NULL,
    pipeline text NOT NULL,              -- of `dag`
    PRIMARY KEY (upstream, dag)
);

-- Successes that are yet to be followed.
CREATE TABLE dag_success (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag            text NOT NULL,        -- who follows
    upstream       text NOT NULL,
    run_id         uuid NOT NULL,        -- the run that succeeded
    logical_at     timestamptz NOT NULL,
    interval_start timestamptz,
    interval_end   timestamptz,
    made_at        timestamptz NOT NULL DEFAULT now()
);

-- A trigger, because a run ends in more than one place, and each success must be noted in the transaction that ends the run.
CREATE FUNCTION note_success() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dag_success (dag, upstream, run_id, logical_at, interval_start, interval_end)
    SELECT a.dag, a.upstream, NEW.id, NEW.logical_at, NEW.interval_start, NEW.interval_end
    FROM dag_after a WHERE a.upstream = NEW.dag;
    RETURN NULL;
END
$$;
CREATE TRIGGER run_success AFTER UPDATE OF state ON run FOR EACH ROW
    WHEN (NEW.state = 'success' AND OLD.state <> 'success')
    EXECUTE FUNCTION note_success();
