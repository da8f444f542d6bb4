//! `config/producer.toml`

use serde::Deserialize;
use service::settings::{Kafka, Postgres, Registry};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    /// Of one request, also after decompression.
    pub body_bytes_max: usize,
    /// Of one request.
    pub records_max: usize,
    /// Of all requests together; above it the answer is 503.
    pub in_flight_bytes_max: usize,
    pub kafka: Kafka,
    pub registry: Registry,
    pub postgres: Postgres,
}
