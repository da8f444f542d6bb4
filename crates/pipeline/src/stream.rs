//! Streams: a topic and the schema of its records.

use crate::duration;
use serde::Deserialize;
use std::time::Duration;

/// A stream as `[streams.NAME]` declares it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// The topic's name too.
    #[serde(skip)]
    pub name: String,
    /// The `.avsc` file: the only place where a field is declared.
    pub schema: String,
    /// The text of that file.
    #[serde(skip)]
    pub avsc: String,
    pub key: Vec<String>,
    /// A timestamp field of the schema.
    pub event_time: Option<String>,
    #[serde(default = "duration::seconds_10", deserialize_with = "model::span::parse")]
    pub watermark_delay: Duration,
    /// A partition that is silent for so long no longer holds the watermark back.
    #[serde(default = "duration::seconds_30", deserialize_with = "model::span::parse")]
    pub idle_after: Duration,
    #[serde(default = "four")]
    pub partitions: u32,
    /// Copies of each record. Where absent, as many as the brokers' `default.replication.factor` says.
    #[serde(default = "the_brokers")]
    pub replication: i32,
    /// How long records are kept; for ever where absent.
    #[serde(default, deserialize_with = "model::span::parse_optional")]
    pub retention: Option<Duration>,
}

fn four() -> u32 {
    4
}

/// What the protocol calls it.
fn the_brokers() -> i32 {
    -1
}
