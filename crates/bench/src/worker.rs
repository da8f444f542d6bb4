//! A job over records that lie in Kafka, exactly once: how many a worker's second of processor time takes.

use crate::{
    load::{KEYS, SCHEMA, STREAM, fill},
    report::Report,
    stand::{Stand, With, until},
};
use std::{path::Path, time::Instant};

const WORKERS: [&str; 2] = ["worker-1", "worker-2"];
/// 20 records a millisecond of event time: two million are 100 seconds, so windows of a minute close.
const PER_MS: usize = 20;

struct Case {
    job: &'static str,
    what: &'static str,
    goal: f64,
    schema: &'static str,
    sql: &'static str,
    key: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        job: "bench_stateless",
        what: "stateless",
        goal: 300_000.0,
        schema: SCHEMA,
        sql: "SELECT id, k, upper(name) AS name, lower(trim(email)) AS email, city, country, note, amount * 1.081 AS amount, quantity, at\nFROM bench_events\nWHERE quantity < 99",
        key: "id",
    },
    Case {
        job: "bench_tumbling",
        what: "tumbling minute by 10,000 keys",
        goal: 350_000.0,
        schema: r#"{"type":"record","name":"Counted","fields":[{"name":"k","type":"string"},
  {"name":"window_start","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"events","type":"long"},
  {"name":"total","type":["null","double"]}]}"#,
        sql: "SELECT k, window_start, count(*) AS events, sum(amount) AS total\nFROM tumble(bench_events, at, INTERVAL '1' MINUTE)\nGROUP BY k, window_start, window_end",
        key: "k",
    },
];

pub async fn run(folder: &Path, records: usize) -> anyhow::Result<Report> {
    let mut report = Report::new("worker");
    let stand = Stand::start(folder, With::Nothing).await?;
    fill(&stand, records, PER_MS).await?;
    for case in &CASES {
        let (cpu, started) = (stand.cpu_seconds(&WORKERS)?, Instant::now());
        begin(&stand, case)?;
        until("the job has read all records", async || {
            Ok(stand.read_by_job(case.job).await? >= records as u64)
        })
        .await?;
        let (cpu, wall) = (stand.cpu_seconds(&WORKERS)? - cpu, started.elapsed().as_secs_f64());
        report.add(case.what, records as f64 / wall, "records/s", None);
        report.add(case.what, records as f64 / cpu, "records/CPU-s", Some(case.goal));
    }
    report.note(format!("{records} records of {KEYS} keys in 4 partitions, one slot, one Kafka transaction per 100 ms or so many rows as a batch may have; from publishing the job to its last commit, planning and schema look-up included"));
    stand.stop()?;
    Ok(report.done())
}

fn begin(stand: &Stand, case: &Case) -> anyhow::Result<()> {
    let (job, key) = (case.job, case.key);
    let (avsc, sql) = (format!("{job}.avsc"), format!("{job}.sql"));
    let text = format!(
        "{STREAM}\n[streams.{job}_out]\nschema = \"{avsc}\"\nkey = [\"{key}\"]\npartitions = 4\n\n[jobs.{job}]\nsql = \"{sql}\"\ninto = \"{job}_out\"\nslots = 1\n",
    );
    stand.pipeline(&[(&avsc, case.schema), (&sql, case.sql), ("pipeline.toml", &text)])
}
