//! The sections that several processes' files share.

use model::Secret;
use serde::Deserialize;

/// `[kafka]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Brokers, `host:port`, with commas between.
    pub bootstrap: String,
}

/// `[registry]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// The base of its Confluent-compatible API.
    pub url: String,
}

/// `[postgres]`, `[analytics]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// `postgres://user@host:port/database`, without the password.
    pub url: String,
    /// Best given by a file: `MILLRACE_POSTGRES_PASSWORD_FILE`.
    pub password: Secret,
}

/// `[cassandra]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cassandra {
    /// Nodes to begin with, `host:port`, with commas between.
    pub hosts: String,
    /// How many nodes hold a row, for keyspaces that are made.
    pub replication: u32,
}
