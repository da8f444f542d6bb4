//! `config/cassandra-sink.toml`

use serde::Deserialize;
use service::settings::{Cassandra, Kafka, Postgres, Registry};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    pub batch_records_max: usize,
    /// Rows that are written at once.
    pub writes_in_flight_max: u32,
    pub kafka: Kafka,
    pub registry: Registry,
    pub postgres: Postgres,
    pub cassandra: Cassandra,
}
