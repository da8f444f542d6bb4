-- What people are told of a DAG, and figures that are asked for when somebody scrapes them.

CREATE TABLE dag_about (
    dag      text PRIMARY KEY,
    pipeline text NOT NULL,
    tags     text[] NOT NULL,
    owner    text,
    doc      text                        -- Markdown
);

-- How long runs took, is asked of those that have ended since it was asked last.
CREATE INDEX run_by_end ON run (ended_at) WHERE ended_at IS NOT NULL;
