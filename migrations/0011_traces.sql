-- What a collector of traces is told. Whoever ends a run notes it, in the same transaction, while somebody is there to tell it.

-- One row. A scheduler that tells renews it; where none does, nothing is noted.
CREATE TABLE trace_wanted (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    until timestamptz NOT NULL
);
INSERT INTO trace_wanted (until) VALUES (now());

CREATE TABLE trace (
    run_id uuid PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX trace_by_age ON trace (at);

-- A trigger, because a run ends in more than one place.
CREATE FUNCTION note_trace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trace (run_id) SELECT NEW.id FROM trace_wanted WHERE until > now() ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER run_traced AFTER UPDATE OF state ON run FOR EACH ROW
    WHEN (NEW.state IN ('success', 'failed', 'cancelled') AND OLD.state <> NEW.state)
    EXECUTE FUNCTION note_trace();

ALTER TABLE attempt
    ADD COLUMN holder   text,           -- who began it
    ADD COLUMN ready_at timestamptz;    -- since when it could have begun
