//! A dead letter, read from its record. Pure.

use bytes::Bytes;
use kafka::{RECORD_ID, Record};
use model::{DeadLetter, Stage};
use serde_json::Value;

/// A letter and where it lies.
#[derive(Clone, Debug)]
pub struct Letter {
    pub dead_topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Why it is here, and where it came from.
    pub origin: DeadLetter,
    pub key: Option<Bytes>,
    pub record_id: Option<String>,
    pub payload: Option<Bytes>,
}

/// How a letter gets back.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// JSON, through the producer.
    Door(Vec<u8>),
    /// The bytes that were in the topic, to the topic.
    Topic(Vec<u8>),
}

impl Letter {
    /// Reads a record of a dead-letter topic. The error says why it is none.
    pub fn of(record: &Record) -> Result<Self, String> {
        let header = |name: &str| record.header(name).map(str::to_owned);
        let stage = match record.header("stage") {
            Some("producer") => Stage::Producer,
            Some("job") => Stage::Job,
            Some("sink") => Stage::Sink,
            other => return Err(format!("its header `stage` is {other:?}: Millrace did not write it")),
        };
        let origin = DeadLetter {
            stage,
            reason: header("reason").unwrap_or_default(),
            topic: header("topic").ok_or("it has no header `topic`: Millrace did not write it")?,
            partition: header("partition").and_then(|text| text.parse().ok()),
            offset: header("offset").and_then(|text| text.parse().ok()),
            job: header("job"),
            version: header("version"),
        };
        Ok(Self {
            dead_topic: record.topic.to_string(),
            partition: record.partition,
            offset: record.offset,
            origin,
            key: record.key.clone(),
            record_id: header(RECORD_ID),
            payload: record.payload.clone(),
        })
    }

    /// How it gets back; the error says why it can't.
    pub fn way(&self, edited: Option<&Value>) -> Result<Way, String> {
        let never_a_record = self.origin.stage != Stage::Producer && self.origin.offset.is_none();
        if never_a_record {
            let job = self.origin.job.as_deref().unwrap_or("a job");
            return Err(format!(
                "it is a row of a window that {job} made, not a record. Correct the job; what it reads is still in its topic"
            ));
        }
        match (edited, &self.payload, self.origin.stage) {
            (Some(record), ..) => Ok(Way::Door(record.to_string().into_bytes())),
            (None, None, _) => {
                Err("it has no value. Replay it edited, with the record that it should be".into())
            }
            (None, Some(text), Stage::Producer) => Ok(Way::Door(text.to_vec())),
            (None, Some(bytes), Stage::Job | Stage::Sink) => Ok(Way::Topic(bytes.to_vec())),
        }
    }

    /// Whether its reason holds a text, in any case.
    pub fn is_about(&self, reason: &str) -> bool {
        self.origin.reason.to_lowercase().contains(&reason.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn letter(headers: &[(&str, &str)], payload: Option<&'static [u8]>) -> Result<Letter, String> {
        Letter::of(&Record {
            topic: "users-dead".into(),
            partition: 2,
            offset: 5,
            timestamp_ms: 0,
            key: Some(b"u1".as_slice().into()),
            payload: payload.map(Into::into),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string().into(), value.as_bytes().to_vec().into()))
                .collect(),
        })
    }

    #[test]
    fn each_stage_has_its_way_back() {
        const PRODUCER: &[(&str, &str)] = &[("stage", "producer"), ("topic", "users")];
        const SINK: &[(&str, &str)] =
            &[("stage", "sink"), ("topic", "users"), ("partition", "1"), ("offset", "7")];
        const WINDOW: &[(&str, &str)] = &[("stage", "job"), ("topic", "users"), ("job", "signups")];
        let record = json!({"id": "u1"});
        let (door, topic) =
            (|text: &[u8]| Ok(Way::Door(text.to_vec())), |bytes: &[u8]| Ok(Way::Topic(bytes.to_vec())));
        let cases = [
            (PRODUCER, Some(b"{}".as_slice()), None, door(b"{}")),
            (PRODUCER, Some(b"{}".as_slice()), Some(&record), door(b"{\"id\":\"u1\"}")),
            (SINK, Some(b"\0avro".as_slice()), None, topic(b"\0avro")),
            (SINK, Some(b"\0avro".as_slice()), Some(&record), door(b"{\"id\":\"u1\"}")),
            (SINK, None, None, Err("it has no value")),
            (WINDOW, Some(b"{}".as_slice()), None, Err("it is a row of a window that signups made")),
            (WINDOW, Some(b"{}".as_slice()), Some(&record), Err("it is a row of a window")),
        ];
        for (headers, payload, edited, expected) in cases {
            let found = letter(headers, payload).unwrap().way(edited);
            match expected {
                Ok(way) => assert_eq!(found, Ok(way)),
                Err(start) => assert!(found.as_ref().is_err_and(|told| told.starts_with(start)), "{found:?}"),
            }
        }
        assert!(letter(&[("stage", "kitchen")], None).unwrap_err().contains("kitchen"));
        assert!(letter(&[("stage", "sink")], None).unwrap_err().contains("`topic`"));
    }
}
