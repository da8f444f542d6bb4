//! The producer's answer.

use serde::{Deserialize, Serialize};

/// What became of the records of one request, in the request's order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub accepted: u64,
    /// Refused, and by wish kept in the dead-letter topic.
    pub dead: u64,
    /// Refused, and kept nowhere.
    pub rejected: u64,
    pub results: Vec<Outcome>,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// Durable on all in-sync replicas.
    Written { partition: i32, offset: i64 },
    /// Refused for `reason`; its payload is durable in the dead-letter topic.
    Dead { reason: String, partition: i32, offset: i64 },
    /// Refused for `reason`.
    Rejected { reason: String },
    /// Neither refused nor known to be durable: send it again.
    Unknown { reason: String },
}

/// An error body, the same for every process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What, why, and what to do next.
    pub error: String,
}
