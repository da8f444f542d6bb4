//! What the load client sends: an event that says where it belongs and what is to become of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::{avro::Codec, frame};

/// The Avro schema of events, of the input's and of the job's output.
pub const SCHEMA: &str = include_str!("event.avsc");

/// One operation of the load client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    pub key: String,
    pub seq: i64,
    /// Event time, milliseconds since 1970.
    pub at: i64,
    pub fate: Fate,
}

/// What the job is to do with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    Clean,
    Filtered,
    Dead,
}

impl Event {
    /// The body that is sent for it.
    pub fn payload(&self) -> String {
        json!(self).to_string()
    }

    /// FNV-1a, 64 bits, of the payload: the ledger's proof of what was sent.
    pub fn hash(&self) -> String {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        format!("{:016x}", self.payload().bytes().fold(0xcbf2_9ce4_8422_2325, step))
    }

    /// Reads an event back from a record's value, whose writer had the same schema. `None` where it is not one.
    pub fn read(codec: &Codec, value: &[u8]) -> Option<Self> {
        let (_, body) = frame::split(value).ok()?;
        let mut found = wire::avro::to_json(&codec.decode(body).ok()?);
        let at = chrono::DateTime::parse_from_rfc3339(found["at"].as_str()?).ok()?.timestamp_millis();
        found["at"] = Value::from(at);
        serde_json::from_value(found).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_comes_back_from_its_record_as_it_was_sent() {
        let event =
            Event { id: "a-1".into(), key: "k".into(), seq: 7, at: 1_700_000_000_123, fate: Fate::Dead };
        let codec = Codec::parse(SCHEMA).unwrap();
        let mut value = frame::header(5).to_vec();
        codec.encode(&serde_json::from_str(&event.payload()).unwrap(), &mut value).unwrap();
        let back = Event::read(&codec, &value).unwrap();
        assert_eq!((back.hash(), back), (event.hash(), event));
        assert_eq!(Event::read(&codec, &value[..4]), None);
    }
}
