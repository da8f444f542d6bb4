//! Sources: HTTP APIs that are polled.

use crate::duration;
use model::Retry;
use serde::{Deserialize, Deserializer};
use std::{collections::BTreeMap, time::Duration};

/// A source as `[sources.NAME]` declares it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    #[serde(skip)]
    pub name: String,
    /// May hold `${VARIABLE}`s, which the fetcher fills from its environment.
    pub url: String,
    /// Query parameters; `{page}` or `{cursor}` in a value is where the next page is asked for.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers; a value may hold `${VARIABLE}`s, so that no secret stands in the file.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// JSON Pointer to the array of records.
    pub records: String,
    #[serde(default)]
    pub page: Paging,
    /// The stream that takes the records.
    pub into: String,
    /// An allow-list: what is not named here never leaves the fetcher.
    pub fields: BTreeMap<String, Field>,
    #[serde(default = "one")]
    pub pages_per_run: u32,
    #[serde(default = "duration::seconds_5", deserialize_with = "model::span::parse")]
    pub connect_timeout: Duration,
    /// The longest silence within an answer.
    #[serde(default = "duration::seconds_10", deserialize_with = "model::span::parse")]
    pub read_timeout: Duration,
    #[serde(default = "duration::seconds_30", deserialize_with = "model::span::parse")]
    pub timeout: Duration,
    /// Of one page, after decompression.
    #[serde(default = "sixteen_mib")]
    pub body_bytes_max: usize,
    #[serde(default = "retry")]
    pub retry: Retry,
}

/// How the next page is asked for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Paging {
    /// There is one page, the same request each time.
    #[default]
    None,
    /// `{page}` counts up and goes on where the last fetch ended.
    Number {
        from: u64,
        #[serde(default)]
        stop: Stop,
    },
    /// `{cursor}` is what the last page said at this JSON Pointer; its first value is `first`.
    Cursor {
        next: String,
        #[serde(default)]
        first: String,
    },
}

/// What an empty page means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The source has no more for now: the fetch ends, the cursor stays.
    #[default]
    Empty,
    /// An answer without records is a fault: it is tried again.
    Never,
}

/// How a field of the record is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub from: From,
    pub as_type: FieldType,
}

#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// The value at a JSON Pointer.
    Pointer(String),
    /// Text with `{/json/pointer}`s and `{fetched_at}` in it.
    Template(String),
    /// UUIDv5 over the values at these pointers: an id for sources that have none.
    Uuid5(Vec<String>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// As the source has it.
    #[default]
    Same,
    /// Numbers become text: a post code is a number in some countries and text in others.
    String,
    /// RFC 3339, or whole milliseconds.
    Timestamp,
    Integer,
    Number,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LongField {
    pointer: Option<String>,
    template: Option<String>,
    uuid5: Option<Vec<String>>,
    #[serde(default, rename = "as")]
    as_type: FieldType,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Spelled {
    Short(String),
    Long(LongField),
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let long = match Spelled::deserialize(from) {
            Ok(Spelled::Short(pointer)) => {
                return Ok(Field { from: From::Pointer(pointer), as_type: FieldType::Same });
            }
            Ok(Spelled::Long(long)) => long,
            Err(_) => return Err(D::Error::custom(EXPECTED)),
        };
        let from = match (long.pointer, long.template, long.uuid5) {
            (Some(pointer), None, None) => From::Pointer(pointer),
            (None, Some(template), None) => From::Template(template),
            (None, None, Some(pointers)) => From::Uuid5(pointers),
            _ => return Err(D::Error::custom(EXPECTED)),
        };
        Ok(Field { from, as_type: long.as_type })
    }
}

const EXPECTED: &str = "a field is a JSON Pointer (\"/name/first\"), or { pointer | template | uuid5 = …, as = \"string\" | \"timestamp\" | \"integer\" | \"number\" }";

fn one() -> u32 {
    1
}

fn sixteen_mib() -> usize {
    16 * 1024 * 1024
}

fn retry() -> Retry {
    Retry::new(6, Duration::from_millis(200), Duration::from_secs(10))
}
