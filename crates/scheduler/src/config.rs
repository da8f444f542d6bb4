//! `config/scheduler.toml`

use crate::{lineage, notify::Channel, traces};
use model::Secret;
use serde::Deserialize;
use service::settings::{Cassandra, Kafka, Postgres};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// What a scheduler's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    All,
    /// Claims and runs tasks, on whatever machine; others publish, make runs and show.
    Executor,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: String,
    /// What this process does.
    pub role: Role,
    /// Names besides localhost under which people open the page.
    pub allowed_hosts: Vec<String>,
    /// Where `pipelines/` is.
    pub config_dir: PathBuf,
    pub fetcher_url: String,
    /// What seals connections and variables in PostgreSQL: 32 bytes in base64; none can be set there where it is empty.
    #[serde(default)]
    pub secrets_key: Secret,
    /// A folder for results over 64 KiB, which all schedulers share; empty: such results are left out.
    #[serde(default)]
    pub state_dir: PathBuf,
    /// A worker's program, which says whether pipelines compile; empty: the one beside this program.
    pub worker: String,
    /// Tasks that run at once in this process.
    pub tasks_max: usize,
    /// A task whose holder is silent for so long is given to another.
    #[serde(deserialize_with = "model::span::parse")]
    pub lease: Duration,
    /// What may be to do is looked for so often where no hint comes. Due times are met exactly.
    #[serde(deserialize_with = "model::span::parse")]
    pub tick: Duration,
    #[serde(deserialize_with = "model::span::parse")]
    pub keep_runs: Duration,
    /// Slots by name of the pool. A task without a pool is in `default`, which has 128 slots where it is not named here.
    #[serde(default)]
    pub pools: BTreeMap<String, u32>,
    /// Who is told of runs, by the name that DAGs use: `notify = ["NAME"]`.
    #[serde(default)]
    pub notifications: BTreeMap<String, Channel>,
    /// Where OpenLineage events go.
    pub lineage: lineage::Settings,
    /// Where traces of runs go.
    #[serde(default)]
    pub tracing: traces::Settings,
    pub kafka: Kafka,
    pub postgres: Postgres,
    pub analytics: Postgres,
    pub cassandra: Cassandra,
}
