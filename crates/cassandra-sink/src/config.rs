//! `config/cassandra-sink.toml`

use serde::Deserialize;
use service::settings::{Cassandra, Kafka, Postgres, Registry};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    pub batch_records_max: usize,
    /// Requests that are under way at once for a table, each with some rows.
    pub writes_in_flight_max: usize,
    pub kafka: Kafka,
    pub registry: Registry,
    pub postgres: Postgres,
    pub cassandra: Cassandra,
}
