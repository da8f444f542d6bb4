//! What the scheduler says to the fetcher, and its answer.

use crate::passed::Offsets;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// "Fetch this source once." Idempotent by `attempt_id`: asked again, the fetcher tells what it did the first time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub source: String,
    pub attempt_id: Uuid,
    pub run_id: Option<Uuid>,
    pub task: Option<String>,
}

/// What one fetch did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub source: String,
    pub stream: String,
    pub pages: u64,
    /// Records read from the source.
    pub fetched: u64,
    /// Durable in the stream's topic.
    pub delivered: u64,
    /// Refused by the schema, and durable in the dead-letter topic.
    pub rejected: u64,
    /// The end of what was written to the stream's topic.
    pub offsets: Offsets,
    /// Where the next fetch goes on.
    pub cursor: serde_json::Value,
}
