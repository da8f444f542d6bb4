//! What both sinks' benchmarks do: declare a table over a full topic, and wait until it is read.

use crate::{
    load::STREAM,
    stand::{Stand, until},
};
use std::time::Instant;

/// Sections that declare the table, for Cassandra and for PostgreSQL.
pub const TABLE_OF: [&str; 2] = [
    "[tables.bench_rows]\nstore = \"cassandra\"\nstream = \"bench_events\"\npartition_key = [\"id\"]\n",
    "[tables.bench_rows]\nstore = \"postgres\"\nstream = \"bench_events\"\n",
];

/// How fast a topic went into a table.
pub struct Drained {
    /// From the first rows that were seen on: publishing a pipeline, and a reader's start, are nothing that a row takes.
    pub rows_per_second: f64,
    /// From the declaration of the table on.
    pub with_start: f64,
}

/// Declares the table, and waits until its sink has written so many rows.
pub async fn drain(stand: &Stand, sink: &str, section: &str, rows: usize) -> anyhow::Result<Drained> {
    let declared = Instant::now();
    stand.pipeline(&[("pipeline.toml", &format!("{STREAM}\n{section}"))])?;
    let (began, before) = (written(stand, sink, 1.0).await?, Instant::now());
    written(stand, sink, rows as f64).await?;
    Ok(Drained {
        rows_per_second: (rows as f64 - began) / before.elapsed().as_secs_f64(),
        with_start: rows as f64 / declared.elapsed().as_secs_f64(),
    })
}

/// Waits until a sink has written so many rows since it was started; answers how many these are.
async fn written(stand: &Stand, sink: &str, rows: f64) -> anyhow::Result<f64> {
    let url = stand.address(sink)?;
    let mut found = 0.0;
    until("the sink has written all rows", async || {
        found = stand.metric(url, "millrace_sink_rows_total").await?;
        Ok(found >= rows)
    })
    .await?;
    Ok(found)
}
