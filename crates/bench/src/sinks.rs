//! What both sinks' benchmarks do: declare a table over a full topic, and wait until it is read.

use crate::{
    load::STREAM,
    stand::{Stand, until},
};

/// Sections that declare the table, for Cassandra and for PostgreSQL.
pub const TABLE_OF: [&str; 2] = [
    "[tables.bench_rows]\nstore = \"cassandra\"\nstream = \"bench_events\"\npartition_key = [\"id\"]\n",
    "[tables.bench_rows]\nstore = \"postgres\"\nstream = \"bench_events\"\n",
];

/// Publishes the stream with a table.
pub fn with_table(stand: &Stand, section: &str) -> anyhow::Result<()> {
    stand.pipeline(&[("pipeline.toml", &format!("{STREAM}\n{section}"))])
}

/// Waits until a sink has written so many rows since it was started.
pub async fn drained(stand: &Stand, sink: &str, rows: usize) -> anyhow::Result<()> {
    let url = stand.address(sink)?;
    until("the sink has written all rows", async || {
        Ok(stand.metric(url, "millrace_sink_rows_total").await? >= rows as f64)
    })
    .await
}
