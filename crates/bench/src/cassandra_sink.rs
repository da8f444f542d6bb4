//! A topic into a Cassandra table, beside a bare loop of the same prepared inserts.

use crate::{
    load::{event, fill},
    report::Report,
    sinks::{TABLE_OF, drain},
    stand::{Stand, With},
    warm::warm,
};
use cassandra::{Cassandra, scylla::value::CqlTimestamp};
use futures::{StreamExt, TryStreamExt, stream};
use std::{path::Path, time::Instant};

/// As `writes_in_flight_max` in config/cassandra-sink.toml.
const IN_FLIGHT: usize = 128;
const COLUMNS: &str = "id, k, name, email, city, country, note, amount, quantity, at";
const SINK: &str = "cassandra-sink";

pub async fn run(folder: &Path, records: usize) -> anyhow::Result<Report> {
    let mut report = Report::new("cassandra-sink");
    let stand = Stand::start(folder, With::Nothing).await?;
    fill(&stand, records, 20).await?;
    let cassandra = stand.cassandra().await?;
    cassandra.ensure_keyspace("millrace", 1).await?;
    let mut round = 0;
    warm(async || {
        round += 1;
        bare(&cassandra, &format!("bare_{round}"), records).await
    })
    .await?;
    let before = bare(&cassandra, "bare_before", records).await?;
    let cpu = stand.cpu_seconds(&[SINK])?;
    let drained = drain(&stand, SINK, TABLE_OF[0], records).await?;
    let sink = drained.rows_per_second;
    let cpu = stand.cpu_seconds(&[SINK])? - cpu;
    let after = bare(&cassandra, "bare_after", records).await?;
    report.add("bare loop, before", before, "rows/s", None);
    report.add("cassandra-sink", sink, "rows/s", None);
    report.add("cassandra-sink, its start included", drained.with_start, "rows/s", None);
    report.add("bare loop, after", after, "rows/s", None);
    report.add("cassandra-sink : bare loop", sink / ((before + after) / 2.0), "", Some(0.9));
    report.add("cassandra-sink", records as f64 / cpu, "rows/CPU-s", None);
    report.note(format!("{records} rows of about 230 bytes, {IN_FLIGHT} in flight, one node with commit log sync `group`; Cassandra is warm; the sink's time begins with its first rows, its start with the declaration of its table"));
    stand.stop()?;
    Ok(report.done())
}

/// Writes the same rows without Kafka, Avro or places. Answers rows per second.
async fn bare(cassandra: &Cassandra, table: &str, records: usize) -> anyhow::Result<f64> {
    cassandra
        .run(&format!(
            "CREATE TABLE millrace.{table} (id text PRIMARY KEY, k text, name text, email text, city text, country text, note text, amount double, quantity int, at timestamp)"
        ))
        .await?;
    let text = format!(
        "INSERT INTO millrace.{table} ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
    );
    let mut insert = cassandra.session().prepare(text).await?;
    insert.set_is_idempotent(true);
    let started = Instant::now();
    stream::iter(0..records)
        .map(|n| {
            let (event, insert) = (event(n, 20), &insert);
            let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let strings = ["id", "k", "name", "email", "city", "country", "note"].map(word);
            async move {
                let [id, k, name, email, city, country, note] = strings;
                let amount = event["amount"].as_f64();
                let row = (
                    id,
                    k,
                    name,
                    email,
                    city,
                    country,
                    note,
                    amount,
                    n as i32 % 100,
                    CqlTimestamp(n as i64),
                    n as i64,
                );
                cassandra.session().execute_unpaged(insert, row).await.map(drop)
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    Ok(records as f64 / started.elapsed().as_secs_f64())
}
