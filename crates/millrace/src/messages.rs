//! Messages of a topic: which are wanted, reading them, and making them readable.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::DateTime;
use kafka::cluster::End;
use kafka::{Cluster, Record};
use registry::Registry;
use serde_json::{Map, Value, json};
use wire::{avro, frame};

use crate::address::Addresses;
use crate::cli::ReadFrom;
use crate::failure::Failure;
use crate::instant;

mod read;

use read::Range;

/// What is wanted of a topic.
pub struct Wanted {
    pub topic: String,
    /// All where absent.
    pub partition: Option<i32>,
    pub from: ReadFrom,
    pub limit: usize,
}

/// A record as people read it. Nothing is hidden: what can't be decoded is shown as it is, with the reason.
pub struct Message {
    pub record: Record,
    /// `null` in a tombstone.
    pub value: Value,
    /// Why the value is not shown decoded.
    pub problem: Option<String>,
}

/// What decodes each schema id, or why it can't be decoded.
type Codecs = HashMap<u32, Result<avro::Codec, String>>;

/// More different schemas come from payloads that are not Avro at all.
const SCHEMAS_MAX: usize = 32;
/// Whoever asks is waiting: what was read by then is shown.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Reads committed messages; over several partitions in the order of their times.
pub async fn read(addresses: &Addresses, wanted: &Wanted) -> Result<Vec<Message>, Failure> {
    let cluster = Cluster::new(addresses.kafka()?);
    let first = cluster.ends(&wanted.topic, End::First).await?.0;
    let end = cluster.ends(&wanted.topic, End::Stable).await?.0;
    if let Some(partition) = wanted.partition.filter(|partition| !end.contains_key(partition)) {
        let (topic, last) = (&wanted.topic, end.len().saturating_sub(1));
        return Err(Failure::WrongInput(format!(
            "topic {topic} has no partition {partition}: they are 0 to {last}"
        )));
    }
    let ends =
        end.iter().map(|(partition, end)| (*partition, first.get(partition).copied().unwrap_or(0), *end));
    let chosen = ends.filter(|(partition, ..)| wanted.partition.is_none_or(|only| only == *partition));
    let ranges: Vec<Range> =
        chosen.filter_map(|(partition, first, end)| range(wanted, partition, first, end)).collect();
    let (bootstrap, topic, limit) = (cluster.bootstrap().to_string(), wanted.topic.clone(), wanted.limit);
    let newest = wanted.from == ReadFrom::End;
    let read = tokio::task::spawn_blocking(move || {
        read::read(&bootstrap, &topic, &ranges, limit, newest, ANSWER_MAX)
    });
    let (records, is_whole) =
        read.await.map_err(|cause| Failure::Failed(format!("read messages: {cause}")))??;
    if !is_whole {
        eprintln!(
            "millrace: not all was read within {ANSWER_MAX:?}; name a --partition, or a smaller --limit"
        );
    }
    let codecs = codecs(addresses, &records).await?;
    Ok(records.into_iter().map(|record| Message::of(record, &codecs)).collect())
}

fn range(wanted: &Wanted, partition: i32, first: i64, end: i64) -> Option<Range> {
    let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX / 4);
    let from = match wanted.from {
        ReadFrom::Beginning => first,
        ReadFrom::Offset(offset) => offset.max(first),
        // A transaction of one record is followed by its marker: so half of the offsets may be records.
        ReadFrom::End => (end - 2 * limit - 2).max(first),
    };
    (from < end).then_some(Range { partition, from, end })
}

async fn codecs(addresses: &Addresses, records: &[Record]) -> Result<Codecs, Failure> {
    let payloads = records.iter().filter_map(|record| record.payload.as_ref());
    let ids: BTreeSet<u32> =
        payloads.filter_map(|payload| frame::split(payload).ok()).map(|(id, _)| id).collect();
    let mut codecs = Codecs::new();
    if ids.is_empty() {
        return Ok(codecs);
    }
    let registry = Registry::new(&addresses.registry()?)?;
    for id in ids.into_iter().take(SCHEMAS_MAX) {
        let schema = registry.schema(id).await.map_err(|cause| cause.to_string());
        let codec = schema
            .and_then(|text| avro::Codec::parse(&text).map_err(|cause| format!("schema {id}: {cause}")));
        codecs.insert(id, codec);
    }
    Ok(codecs)
}

impl Message {
    fn of(record: Record, codecs: &Codecs) -> Message {
        let (value, problem) = match &record.payload {
            None => (Value::Null, None),
            Some(payload) => match decode(payload, codecs) {
                Ok(value) => (value, None),
                Err(reason) => (Value::String(text(payload)), Some(reason)),
            },
        };
        Message { record, value, problem }
    }

    pub fn json(&self) -> Value {
        let record = &self.record;
        let headers: Map<String, Value> =
            record.headers.iter().map(|(name, value)| (name.to_string(), text(value).into())).collect();
        json!({
            "topic": &*record.topic, "partition": record.partition, "offset": record.offset, "time": self.time(),
            "key": self.key(), "value": self.value, "problem": self.problem, "headers": headers,
        })
    }

    pub fn time(&self) -> Option<String> {
        DateTime::from_timestamp_millis(self.record.timestamp_ms).map(instant::show)
    }

    pub fn key(&self) -> Option<String> {
        self.record.key.as_deref().map(text)
    }
}

fn decode(payload: &[u8], codecs: &Codecs) -> Result<Value, String> {
    let (id, body) = frame::split(payload).map_err(|cause| cause.to_string())?;
    match codecs.get(&id) {
        Some(Ok(codec)) => codec
            .decode(body)
            .map(|value| avro::to_json(&value))
            .map_err(|cause| format!("schema {id}: {cause}")),
        Some(Err(reason)) => Err(reason.clone()),
        None => Err(format!("schema {id} was not looked up: the messages name too many different ones")),
    }
}

/// UTF-8 as it is; anything else with its bytes escaped, so that it harms no terminal.
fn text(bytes: &[u8]) -> String {
    let readable = std::str::from_utf8(bytes).ok();
    let readable = readable.filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
    readable.map_or_else(|| bytes.escape_ascii().to_string(), str::to_string)
}

#[cfg(test)]
mod tests;
