//! From a record's bytes to what is written, and from the broker's answers to ours.

use crate::streams::Ready;
use kafka::{Outgoing, Place, RECORD_ID, SendError};
use model::{DeadLetter, Stage};
use serde_json::Value;
use wire::{
    avro::to_json,
    frame,
    ingest::{Answer, Outcome},
    record::Json,
};

/// What happens to a record that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnInvalid {
    /// The answer says why, and that is all.
    #[default]
    Reject,
    /// It goes to the dead-letter topic, and the answer says why.
    Deadletter,
}

/// What is to become of one record.
pub enum Fate {
    Write(Outgoing),
    Bury(Outgoing, String),
    Reject(String),
}

/// Decides about one record. Pure.
pub fn judge(ready: &Ready, bytes: &[u8], on_invalid: OnInvalid) -> Fate {
    match encode(ready, bytes) {
        Ok(outgoing) => Fate::Write(outgoing),
        Err(reason) if on_invalid == OnInvalid::Deadletter => {
            Fate::Bury(dead_letter(ready, bytes, &reason), reason)
        }
        Err(reason) => Fate::Reject(reason),
    }
}

fn encode(ready: &Ready, bytes: &[u8]) -> Result<Outgoing, String> {
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(too_large(&format!("{} bytes as text", bytes.len()), TEXT_BYTES_MAX));
    }
    let record = Json::parse(bytes)
        .map_err(|cause| format!("the record is not JSON: {cause}: send one JSON object"))?;
    let mut payload = Vec::with_capacity(bytes.len());
    payload.extend(frame::header(ready.schema_id));
    ready.codec.encode_json(&record, &mut payload).map_err(|refusal| refusal.to_string())?;
    let key = key(ready, &record, &payload[frame::HEADER_BYTES..])?;
    // The key is there twice: once more as the record's id.
    if payload.len() + 2 * key.len() > PAYLOAD_BYTES_MAX {
        return Err(too_large(&format!("{} bytes", payload.len()), PAYLOAD_BYTES_MAX));
    }
    let id = String::from_utf8_lossy(&key).into_owned();
    Ok(Outgoing {
        topic: ready.topic.clone(),
        key: Some(key),
        payload: Some(payload),
        headers: vec![(RECORD_ID, id)],
        partition: None,
    })
}

fn key(ready: &Ready, record: &Json<'_>, body: &[u8]) -> Result<Vec<u8>, String> {
    if let [field] = &ready.stream.key[..]
        && let Some(Json::Text(text)) = record.get(field)
        && ready.codec.is_text(field)
    {
        return Ok(text.as_bytes().to_vec());
    }
    // As it is in the record, not as it was spelled: the same instant as a number and as text is the same key.
    let record = to_json(&ready.codec.decode(body).map_err(|cause| cause.to_string())?);
    let values: Vec<&Value> = ready
        .stream
        .key
        .iter()
        .filter_map(|field| record.get(field))
        .filter(|value| !value.is_null())
        .collect();
    if values.len() < ready.stream.key.len() {
        return Err(format!("the key needs a value in each of its fields: {}", ready.stream.key.join(", ")));
    }
    Ok(wire::key::key(&values))
}

/// Kafka takes a million bytes with key and headers. Of a larger record the dead letter has the beginning: nothing of it would
/// be worse, and so would be a source that can't go on because of one record.
const PAYLOAD_BYTES_MAX: usize = 900_000;
/// A record takes many times its text while it is looked at.
const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;

fn too_large(size: &str, bytes_max: usize) -> String {
    format!(
        "the record has {size}, more than {bytes_max}: leave a field out, or keep the large value elsewhere and send its address"
    )
}

fn dead_letter(ready: &Ready, bytes: &[u8], reason: &str) -> Outgoing {
    let kept = &bytes[..bytes.len().min(PAYLOAD_BYTES_MAX)];
    let cut = if kept.len() < bytes.len() {
        format!("; the first {} bytes are kept", kept.len())
    } else {
        String::new()
    };
    let letter = DeadLetter {
        stage: Stage::Producer,
        reason: format!("{reason}{cut}"),
        topic: ready.topic.to_string(),
        partition: None,
        offset: None,
        job: None,
        version: None,
    };
    let mut headers = letter.headers();
    headers.extend(record_id(ready, bytes).map(|id| (RECORD_ID, id)));
    Outgoing {
        topic: ready.dead_topic.clone(),
        key: None,
        payload: Some(kept.to_vec()),
        headers,
        partition: None,
    }
}

/// The id of a record that does not fit, where it can be told.
fn record_id(ready: &Ready, bytes: &[u8]) -> Option<String> {
    let record = Json::parse(bytes.get(..bytes.len().min(TEXT_BYTES_MAX))?).ok()?.to_value();
    let values: Option<Vec<&Value>> = ready.stream.key.iter().map(|field| record.get(field)).collect();
    let id = String::from_utf8(wire::key::key(&values?)).ok()?;
    (id.len() <= model::dead::REASON_BYTES_MAX).then_some(id)
}

/// Puts the broker's answers, which are those of all but the rejected records, into the request's order.
pub fn answer(fates: Vec<Option<Result<String, String>>>, written: Vec<Result<Place, SendError>>) -> Answer {
    let mut answer = Answer::default();
    let mut written = written.into_iter();
    for fate in fates {
        let outcome = match fate {
            Some(Err(reason)) => Outcome::Rejected { reason },
            Some(Ok(reason)) => match written.next() {
                Some(Ok(Place { partition, offset })) => Outcome::Dead { reason, partition, offset },
                other => unconfirmed(other),
            },
            None => match written.next() {
                Some(Ok(Place { partition, offset })) => Outcome::Written { partition, offset },
                other => unconfirmed(other),
            },
        };
        match &outcome {
            Outcome::Written { .. } => answer.accepted += 1,
            Outcome::Dead { .. } => answer.dead += 1,
            Outcome::Rejected { .. } => answer.rejected += 1,
            Outcome::Unknown { .. } => {}
        }
        answer.results.push(outcome);
    }
    answer
}

fn unconfirmed(answer: Option<Result<Place, SendError>>) -> Outcome {
    match answer {
        Some(Err(SendError::Refused(reason))) => Outcome::Rejected { reason },
        Some(Err(SendError::Unknown(reason))) => Outcome::Unknown { reason },
        _ => Outcome::Unknown { reason: "Kafka gave no answer".into() },
    }
}

#[cfg(test)]
mod tests;
