//! A record as people read it. Nothing is dropped: what can't be decoded is shown as it is, with the reason. Pure.

use base64::Engine;
use chrono::{DateTime, Utc};
use kafka::Record;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::HashMap;
use wire::{
    avro::{Codec, to_json},
    frame,
};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    pub partition: i32,
    pub offset: i64,
    pub time: Option<DateTime<Utc>>,
    pub key: Option<Content>,
    /// Absent in a tombstone.
    pub value: Option<Content>,
    pub headers: Vec<(String, String)>,
}

/// A key or a value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Content {
    #[serde(flatten)]
    pub shown: Shown,
    /// The schema that it names, also where it could not be decoded.
    pub schema_id: Option<u32>,
    /// Why it is not shown decoded although it should be.
    pub problem: Option<String>,
    pub bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Decoded by its schema.
    Json(Value),
    /// UTF-8, byte for byte.
    Text(String),
    /// As base64 in JSON.
    #[serde(serialize_with = "base64")]
    Bytes(Vec<u8>),
}

/// What decodes each schema id, or why it can't be decoded.
pub type Codecs = HashMap<u32, Result<Codec, String>>;

impl Message {
    /// `is_avro` says that the topic has a schema: a value without one is then told as wrong.
    pub fn of(record: &Record, codecs: &Codecs, is_avro: bool) -> Self {
        let text = |(name, value): &(std::borrow::Cow<'static, str>, bytes::Bytes)| {
            (name.to_string(), String::from_utf8_lossy(value).into_owned())
        };
        Self {
            partition: record.partition,
            offset: record.offset,
            time: DateTime::from_timestamp_millis(record.timestamp_ms),
            key: record.key.as_ref().map(|key| Content::of(key, codecs, false)),
            value: record.payload.as_ref().map(|payload| Content::of(payload, codecs, is_avro)),
            headers: record.headers.iter().map(text).collect(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Content {
    pub fn of(bytes: &[u8], codecs: &Codecs, is_avro: bool) -> Self {
        let (shown, schema_id, problem) = match frame::split(bytes) {
            Err(cause) => (raw(bytes), None, is_avro.then(|| cause.to_string())),
            Ok((id, body)) => match decode(id, body, codecs) {
                Ok(value) => (Shown::Json(value), Some(id), None),
                Err(reason) => (raw(bytes), Some(id), Some(reason)),
            },
        };
        Self { shown, schema_id, problem, bytes: bytes.len() }
    }
}

impl Shown {
    /// All of it in one line.
    pub fn line(&self) -> String {
        match self {
            Shown::Json(value) => value.to_string(),
            Shown::Text(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
            Shown::Bytes(bytes) => bytes.escape_ascii().to_string(),
        }
    }

    /// As it is read best.
    pub fn block(&self) -> String {
        match self {
            Shown::Json(value) => serde_json::to_string_pretty(value).unwrap_or_default(),
            Shown::Text(text) => text.clone(),
            Shown::Bytes(bytes) => bytes.escape_ascii().to_string(),
        }
    }
}

fn decode(id: u32, body: &[u8], codecs: &Codecs) -> Result<Value, String> {
    match codecs.get(&id) {
        Some(Ok(codec)) => {
            codec.decode(body).map(|value| to_json(&value)).map_err(|cause| format!("schema {id}: {cause}"))
        }
        Some(Err(reason)) => Err(reason.clone()),
        None => Err(format!("schema {id} was not looked up: the messages name too many different ones")),
    }
}

fn raw(bytes: &[u8]) -> Shown {
    let text = std::str::from_utf8(bytes).ok();
    // Text with control characters is most likely something else.
    let text = text.filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
    text.map_or_else(|| Shown::Bytes(bytes.to_vec()), |text| Shown::Text(text.to_owned()))
}

fn base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SCHEMA: &str = r#"{"type": "record", "name": "User", "fields": [
        {"name": "id", "type": "string"}, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;

    fn codecs() -> Codecs {
        [
            (7, Ok(Codec::parse(SCHEMA).unwrap())),
            (8, Err("the registry does not know schema id 8".to_owned())),
        ]
        .into()
    }

    fn framed(id: u32, body: &[u8]) -> Vec<u8> {
        [frame::header(id).as_slice(), body].concat()
    }

    fn user() -> Vec<u8> {
        let mut body = vec![];
        Codec::parse(SCHEMA).unwrap().encode(&json!({"id": "u1", "at": 1_000}), &mut body).unwrap();
        body
    }

    #[test]
    fn a_payload_is_decoded_or_shown_as_it_is_with_the_reason() {
        let text = |text: &str| Shown::Text(text.to_owned());
        let cut = framed(7, &user()[..1]);
        let cases: [(Vec<u8>, bool, Shown, Option<&str>); 7] = [
            (framed(7, &user()), true, Shown::Json(json!({"id": "u1", "at": "1970-01-01T00:00:01Z"})), None),
            (cut.clone(), true, Shown::Bytes(cut), Some("schema 7: the Avro body does not fit")),
            (
                framed(8, b"x"),
                false,
                Shown::Bytes(framed(8, b"x")),
                Some("the registry does not know schema id 8"),
            ),
            (framed(9, b"x"), false, Shown::Bytes(framed(9, b"x")), Some("schema 9 was not looked up")),
            (b"{\"id\": 1".to_vec(), false, text("{\"id\": 1"), None),
            (b"{\"id\": 1".to_vec(), true, text("{\"id\": 1"), Some("the first byte is 0x7b")),
            (vec![255, 254], false, Shown::Bytes(vec![255, 254]), None),
        ];
        for (bytes, is_avro, shown, problem) in cases {
            let found = Content::of(&bytes, &codecs(), is_avro);
            assert_eq!(found.shown, shown);
            let told = found.problem.as_deref();
            assert!(
                told.is_some() == problem.is_some() && told.unwrap_or("").starts_with(problem.unwrap_or("")),
                "{told:?}"
            );
        }
    }

    #[test]
    fn a_message_keeps_its_headers_and_a_tombstone_has_no_value() {
        let record = Record {
            topic: "users-dead".into(),
            partition: 2,
            offset: 5,
            timestamp_ms: 1_000,
            key: Some(b"u1".as_slice().into()),
            payload: None,
            headers: vec![("reason".into(), b"the id is empty".as_slice().into())],
        };
        let message = Message::of(&record, &codecs(), true);
        assert_eq!((message.value.is_none(), message.header("reason")), (true, Some("the id is empty")));
        let json = serde_json::to_value(&message).unwrap();
        assert_eq!(json["key"], json!({"text": "u1", "schema_id": null, "problem": null, "bytes": 2}));
        assert_eq!(json["time"], "1970-01-01T00:00:01Z");
    }
}
