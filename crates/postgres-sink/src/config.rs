//! `config/postgres-sink.toml`

use serde::Deserialize;
use service::settings::{Kafka, Postgres, Registry};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    pub batch_records_max: usize,
    pub kafka: Kafka,
    pub registry: Registry,
    /// Millrace's own database.
    pub postgres: Postgres,
    /// Where the tables are.
    pub analytics: Postgres,
}
