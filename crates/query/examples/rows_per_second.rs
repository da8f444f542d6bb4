//! Rows per second of one slot, from Kafka's bytes to a commit, on one core: `cargo run --release -p query --example rows_per_second`.

use std::time::Instant;

use bytes::Bytes;
use query::{Decoder, Emit, InRecord, JobSpec, Slot, StreamDef, compile};

const ROWS: i64 = 1 << 19;
const BATCH: usize = 4096;
const COMMIT_EVERY: usize = 16;

const SCHEMA: &str = r#"{"type": "record", "name": "users", "fields": [
    {"name": "id", "type": "string"}, {"name": "country", "type": "string"}, {"name": "email", "type": "string"},
    {"name": "nat", "type": ["null", "string"]}, {"name": "age", "type": "int"},
    {"name": "registered_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let records = records();
    let bytes: usize = records.iter().map(|r| r.payload.as_ref().map_or(0, Bytes::len)).sum();
    println!("{} records of {} bytes", records.len(), bytes / records.len());
    let window =
        "FROM tumble(users, registered_at, INTERVAL '1' MINUTE) GROUP BY window_start, window_end, country";
    for (name, sql, emit) in [
        (
            "filter and project",
            "SELECT id, upper(country) AS country, email, age FROM users WHERE age >= 30".to_owned(),
            Emit::Final,
        ),
        (
            "count per minute and one of 10 000 keys",
            format!("SELECT window_start, country, count(*) AS n {window}"),
            Emit::Final,
        ),
        (
            "count, sum, min, max, avg",
            format!(
                "SELECT window_start, country, count(*) AS n, sum(age) AS s, min(age) AS a, max(age) AS b, avg(age) AS c {window}"
            ),
            Emit::Final,
        ),
        (
            "the same, updates",
            format!(
                "SELECT window_start, country, count(*) AS n, sum(age) AS s, min(age) AS a, max(age) AS b, avg(age) AS c {window}"
            ),
            Emit::Updates,
        ),
    ] {
        measure(name, sql, emit, &records)?;
    }
    Ok(())
}

fn measure(
    name: &str,
    sql: String,
    emit: Emit,
    records: &[InRecord],
) -> Result<(), Box<dyn std::error::Error>> {
    let users = StreamDef {
        name: "users".into(),
        schema: SCHEMA.into(),
        event_time: Some("registered_at".into()),
        watermark_delay_ms: 10_000,
        key: vec!["id".into()],
    };
    let job = compile(&JobSpec {
        name: "job".into(),
        sql,
        inputs: vec![users],
        into: "out".into(),
        emit,
        ..JobSpec::default()
    })?;
    let mut decoder = Decoder::new(SCHEMA)?;
    decoder.add_writer_schema(1, SCHEMA)?;
    let mut slot = Slot::new(&job)?;
    slot.add_partition("users", 0, None)?;
    let (mut out, mut changes, mut decoding) = (0, 0, 0.0);
    let start = Instant::now();
    for (i, chunk) in records.chunks(BATCH).enumerate() {
        let before = Instant::now();
        let decoded = decoder.decode(chunk);
        decoding += before.elapsed().as_secs_f64();
        if let Some(batch) = decoded.good {
            slot.push("users", batch)?;
        }
        if i % COMMIT_EVERY == COMMIT_EVERY - 1 {
            let commit = slot.flush()?;
            out += commit.outputs.len();
            changes += commit.changelog.len();
            slot.applied();
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = records.len() as f64 / seconds;
    println!(
        "{name:<42} {rate:>10.0} rows/s, {:.0} % of it decoding, {out} out, {changes} changes",
        100.0 * decoding / seconds
    );
    Ok(())
}

fn records() -> Vec<InRecord> {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    (0..ROWS)
        .map(|offset| {
            let mut payload = vec![0, 0, 0, 0, 1];
            text(&mut payload, &format!("{:016x}-{:016x}", random(), random()));
            text(&mut payload, &format!("key-{:05}", random() % 10_000));
            text(&mut payload, &format!("user{}@example.com", random() % 1_000_000));
            payload.push(2);
            text(&mut payload, "DK");
            long(&mut payload, (random() % 90) as i64);
            long(&mut payload, 1_700_000_000_000 + offset + (random() % 1000) as i64);
            InRecord { partition: 0, offset, timestamp_ms: offset, key: None, payload: Some(payload.into()) }
        })
        .collect()
}

fn text(out: &mut Vec<u8>, value: &str) {
    long(out, value.len() as i64);
    out.extend_from_slice(value.as_bytes());
}

fn long(out: &mut Vec<u8>, value: i64) {
    let mut rest = (value << 1) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
