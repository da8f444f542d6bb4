//! What a task may wait for.

use serde::Deserialize;
use std::time::Duration;

/// What a wait waits for; exactly one of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waited {
    pub passed: Option<Passed>,
    /// A query in PostgreSQL whose first value is true or above zero.
    pub sql: Option<String>,
    /// A file that exists.
    pub file: Option<String>,
    /// A URL that answers with a 2xx status.
    pub http: Option<String>,
    /// An instant, RFC 3339; may be a template.
    pub until: Option<String>,
    /// The run of another DAG for the same logical time has succeeded.
    pub run: Option<WaitedRun>,
    /// A table has so many rows.
    pub rows: Option<WaitedRows>,
    /// A table's sink is at most so many records behind its stream.
    pub lag: Option<WaitedLag>,
    /// Between two looks.
    #[serde(default = "look_again", deserialize_with = "model::span::parse")]
    pub poll: Duration,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitedRun {
    pub dag: String,
    /// Its logical time, RFC 3339; a template.
    #[serde(default = "same_time")]
    pub at: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitedRows {
    pub table: String,
    pub at_least: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitedLag {
    pub table: String,
    pub at_most: u64,
}

/// "Everything up to these offsets of the stream is in these tables."
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passed {
    pub stream: String,
    /// A template that gives offsets by partition, as a fetch's result has them.
    pub offsets: String,
    pub tables: Vec<String>,
}

fn same_time() -> String {
    "{{ logical_time }}".into()
}

fn look_again() -> Duration {
    Duration::from_millis(250)
}
