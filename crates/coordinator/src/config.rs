//! `config/coordinator.toml`

use serde::Deserialize;
use service::settings::{Kafka, Postgres};
use std::time::Duration;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    /// Names besides localhost under which people open the page.
    pub allowed_hosts: Vec<String>,
    /// A worker that is silent for so long is taken for gone: its slots go elsewhere.
    #[serde(deserialize_with = "model::span::parse")]
    pub worker_silent_max: Duration,
    pub kafka: Kafka,
    pub postgres: Postgres,
}
