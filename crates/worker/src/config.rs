//! `config/worker.toml`

use serde::Deserialize;
use service::settings::{Kafka, Postgres, Registry};
use std::time::Duration;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    /// Slots at once.
    pub capacity: u32,
    /// The longest that a record waits for its transaction.
    #[serde(deserialize_with = "model::span::parse")]
    pub commit_interval: Duration,
    /// A transaction is closed early when so many rows have come.
    pub batch_rows_max: usize,
    pub kafka: Kafka,
    pub registry: Registry,
    pub postgres: Postgres,
}
