//! The worker's own Avro path, in this process: decode to columns, a job's expressions, encode.

use crate::{
    load::{Encoder, SCHEMA, event},
    report::Report,
};
use anyhow::Context;
use query::{Decoder, Emit, InRecord, JobSpec, Slot, StreamDef};
use std::time::{Duration, Instant};

/// Records in one batch: a commit interval of a busy worker.
const BATCH: usize = 1_024;
const SCHEMA_ID: u32 = 7;
const ALL: &str = "SELECT * FROM events";

pub fn run(records: usize) -> anyhow::Result<Report> {
    let mut report = Report::new("avro");
    let batches = batches(records)?;
    let bytes: usize =
        batches[0].iter().map(|record| record.payload.as_ref().map_or(0, bytes::Bytes::len)).sum();
    let decoding = fastest(|| decode(&batches))?;
    let encoding = fastest(|| encode(&batches))?;
    let whole = fastest(|| work(&batches, ALL))?;
    let count = (batches.len() * BATCH) as f64;
    let per_record = |time: Duration| time.as_nanos() as f64 / count;
    report.add("size of a record", bytes as f64 / BATCH as f64, "bytes", None);
    report.add_less("decode", per_record(decoding), "ns/record", Some(330.0));
    report.add_less("encode", per_record(encoding), "ns/record", Some(430.0));
    report.add_less("both, with the job's bookkeeping", per_record(whole), "ns/record", None);
    report.note(format!(
        "the fastest of {ROUNDS} rounds over {count} records in batches of {BATCH}, one thread"
    ));
    Ok(report.done())
}

fn batches(records: usize) -> anyhow::Result<Vec<Vec<InRecord>>> {
    let encoder = Encoder::new(SCHEMA_ID)?;
    let record = |n: usize| {
        Ok(InRecord {
            partition: 0,
            offset: n as i64,
            timestamp_ms: 0,
            key: Some(format!("key-{n}").into()),
            payload: Some(encoder.payload(&event(n, 10))?.into()),
        })
    };
    (0..records.div_ceil(BATCH))
        .map(|batch| (batch * BATCH..(batch + 1) * BATCH).map(record).collect())
        .collect()
}

/// Rounds, of which the fastest counts: what else the machine does only adds.
const ROUNDS: usize = 5;

fn fastest(mut round: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    let rounds = (0..ROUNDS).map(|_| round()).collect::<Result<Vec<_>, _>>()?;
    rounds.into_iter().min().context("no round")
}

fn decode(batches: &[Vec<InRecord>]) -> anyhow::Result<Duration> {
    let mut decoder = Decoder::new(SCHEMA)?;
    decoder.add_writer_schema(SCHEMA_ID, SCHEMA)?;
    let started = Instant::now();
    for batch in batches {
        let decoded = decoder.decode(batch);
        anyhow::ensure!(
            decoded.good.is_some_and(|good| good.num_rows() == BATCH),
            "a record was not decoded"
        );
    }
    Ok(started.elapsed())
}

/// Encodes what the job has made of the records: keys and bodies, as a slot does.
fn encode(batches: &[Vec<InRecord>]) -> anyhow::Result<Duration> {
    let job = query::compile(&spec(ALL))?;
    let mut decoder = Decoder::new(SCHEMA)?;
    decoder.add_writer_schema(SCHEMA_ID, SCHEMA)?;
    let mut took = Duration::ZERO;
    for batch in batches {
        let rows = job.work(&decoder.decode(batch).good.context("a record was not decoded")?)?;
        let started = Instant::now();
        let encoded = job.encode(&rows);
        took += started.elapsed();
        anyhow::ensure!(encoded.iter().filter(|row| row.is_ok()).count() == BATCH, "a row was not encoded");
    }
    Ok(took)
}

/// Decodes, runs the job, encodes: all that a worker does to a record but Kafka.
fn work(batches: &[Vec<InRecord>], sql: &str) -> anyhow::Result<Duration> {
    let job = query::compile(&spec(sql))?;
    let mut slot = Slot::new(&job)?;
    slot.add_partition("events", 0, None)?;
    let mut decoder = Decoder::new(SCHEMA)?;
    decoder.add_writer_schema(SCHEMA_ID, SCHEMA)?;
    let started = Instant::now();
    for batch in batches {
        let good = decoder.decode(batch).good.context("a record was not decoded")?;
        slot.push("events", good)?;
        anyhow::ensure!(slot.flush()?.outputs.len() == BATCH, "a row did not come out");
        slot.applied();
    }
    Ok(started.elapsed())
}

fn spec(sql: &str) -> JobSpec {
    let stream = |name: &str| StreamDef {
        name: name.into(),
        schema: SCHEMA.into(),
        event_time: Some("at".into()),
        watermark_delay_ms: 5_000,
        key: vec!["id".into()],
    };
    JobSpec {
        name: "bench".into(),
        sql: sql.into(),
        inputs: vec![stream("events")],
        into: "copied".into(),
        target: Some(stream("copied")),
        emit: Emit::Final,
        slots: 1,
        ..JobSpec::default()
    }
}
