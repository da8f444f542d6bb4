//! The records of the benchmarks: 10,000 keys, about 230 bytes each in Avro.

use crate::stand::{Stand, until};
use anyhow::Context;
use kafka::{Cluster, Outgoing, RECORD_ID, Sender, cluster::End};
use registry::Registry;
use serde_json::{Value, json};
use std::sync::Arc;
use wire::{avro::Codec, frame};

pub const SCHEMA: &str = r#"{"type":"record","name":"Event","fields":[
  {"name":"id","type":"string"},{"name":"k","type":"string"},{"name":"name","type":"string"},{"name":"email","type":"string"},
  {"name":"city","type":["null","string"]},{"name":"country","type":["null","string"]},{"name":"note","type":"string"},
  {"name":"amount","type":"double"},{"name":"quantity","type":"int"},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;

/// The stream alone.
pub const STREAM: &str = "[streams.bench_events]\nschema = \"events.avsc\"\nkey = [\"id\"]\nevent_time = \"at\"\nwatermark_delay = \"5s\"\nidle_after = \"1s\"\npartitions = 4\n";

pub const KEYS: usize = 10_000;
/// Event time begins here, in milliseconds since 1970: 2026-01-01.
const FROM_MS: i64 = 1_767_225_600_000;

/// Record `n`: a millisecond of event time holds `per_ms` records.
pub fn event(n: usize, per_ms: usize) -> Value {
    json!({
        "id": format!("018f2b5e-7c11-7abc-8def-{n:012x}"), "k": format!("key-{:05}", n * 7919 % KEYS),
        "name": format!("Ada Lovelace the {n}th"), "email": format!("  Ada.{n}@Example.ORG "),
        "city": "Saint-Rémy-de-Provence", "country": "Switzerland",
        "note": "The Analytical Engine has no pretensions whatever to originate anything.",
        "amount": n as f64 * 0.37, "quantity": n % 100, "at": at(FROM_MS + (n / per_ms) as i64),
    })
}

fn at(ms: i64) -> String {
    let instant = chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default();
    instant.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Records as they lie in Kafka.
pub struct Encoder {
    codec: Codec,
    pub schema_id: u32,
}

impl Encoder {
    pub fn new(schema_id: u32) -> anyhow::Result<Self> {
        Ok(Self { codec: Codec::parse(SCHEMA)?, schema_id })
    }

    pub fn payload(&self, event: &Value) -> anyhow::Result<Vec<u8>> {
        let mut payload = frame::header(self.schema_id).to_vec();
        self.codec.encode(event, &mut payload).map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
        Ok(payload)
    }
}

/// Records in one `send_all`: a few are on their way at once.
const CHUNK: usize = 20_000;

/// Fills the topic of the stream that the stand begins with.
pub async fn fill(stand: &Stand, records: usize, per_ms: usize) -> anyhow::Result<()> {
    let bootstrap = stand.address("kafka")?.to_owned();
    let cluster = Cluster::new(&bootstrap);
    until("the topic is made", async || Ok(cluster.ends("bench_events", End::Stable).await.is_ok())).await?;
    let registry = Registry::new(stand.address("registry")?)?;
    let schema_id = registry.register("bench_events-value", SCHEMA).await?;
    let encoder = Encoder::new(schema_id)?;
    let sender = Sender::new(&bootstrap)?;
    let topic: Arc<str> = "bench_events".into();
    let bar = indicatif::ProgressBar::new(records as u64).with_message("records in the topic");
    for first in (0..records).step_by(CHUNK) {
        let mut chunk = vec![];
        for n in first..(first + CHUNK).min(records) {
            let event = event(n, per_ms);
            let id = event["id"].as_str().unwrap_or_default().to_owned();
            chunk.push(Outgoing {
                topic: topic.clone(),
                key: Some(id.clone().into_bytes()),
                payload: Some(encoder.payload(&event)?),
                headers: vec![(RECORD_ID, id)],
                partition: None,
            });
        }
        bar.inc(chunk.len() as u64);
        for confirmed in sender.send_all(chunk).await {
            confirmed.context("fill the topic")?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}
