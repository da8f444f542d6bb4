//! Records that start runs.

use serde::Deserialize;
use std::time::Duration;

/// `on = { stream = "users", at_least = 100, within = "10s" }`: records of a stream start runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct On {
    pub stream: String,
    /// A run starts when so many records are there that were in no run.
    #[serde(default = "one")]
    pub at_least: u64,
    /// And with fewer, when the first of them has waited so long.
    #[serde(default, deserialize_with = "model::span::parse_optional")]
    pub within: Option<Duration>,
    /// Where the first run begins.
    #[serde(default)]
    pub from: Start,
}

/// Which records are in the first run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Those that come after the DAG was first published.
    #[default]
    End,
    /// All that are kept.
    Beginning,
}

fn one() -> u64 {
    1
}
