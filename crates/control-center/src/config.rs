//! `config/control-center.toml`

use serde::Deserialize;
use service::settings::{Kafka, Postgres, Registry};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    /// Names besides localhost under which people open the page.
    pub allowed_hosts: Vec<String>,
    /// Of a topic, shown at once.
    pub messages_max: usize,
    /// Takes the dead letters that are replayed and that it once refused.
    pub producer_url: String,
    pub kafka: Kafka,
    pub registry: Registry,
    pub postgres: Postgres,
}
