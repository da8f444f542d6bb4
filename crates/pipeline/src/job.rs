//! Streaming jobs: one SELECT from streams into a stream.

use crate::duration;
use serde::Deserialize;
use std::time::Duration;

/// A job as `[jobs.NAME]` declares it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    #[serde(skip)]
    pub name: String,
    /// The `.sql` file.
    pub sql: String,
    /// The text of that file.
    #[serde(skip)]
    pub text: String,
    /// The target stream.
    pub into: String,
    #[serde(default)]
    pub emit: Emit,
    #[serde(default = "duration::zero", deserialize_with = "model::span::parse")]
    pub allowed_lateness: Duration,
    /// How many instances share the input's partitions. Slot s owns the partitions p with p mod slots = s.
    #[serde(default = "one")]
    pub slots: u32,
    #[serde(default)]
    pub engine: Engine,
    /// What happens to rows that come too late for all their windows.
    #[serde(default)]
    pub late: Late,
    /// Rows of the input for which this holds go to the dead letters.
    pub deadletter_when: Option<String>,
    /// An expression that gives the reason; without it the reason is the condition's text.
    pub deadletter_reason: Option<String>,
}

impl Job {
    /// The consumer group that keeps how far the job is.
    pub fn group(&self) -> String {
        format!("job.{}", self.name)
    }

    /// The `transactional.id` of a slot: its next owner takes the same one, and so fences the last.
    pub fn transactional_id(&self, slot: i32) -> String {
        format!("{}/{slot}", self.name)
    }
}

/// When a window's row comes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Emit {
    /// Once, when the window closes.
    #[default]
    Final,
    /// Whenever it changed.
    Updates,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    #[default]
    Native,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// They are counted.
    #[default]
    Count,
}

fn one() -> u32 {
    1
}
