//! What tasks reach: databases, Kafka, the fetcher, any URL.

use crate::{Config, named::Places, results::Results, together::Together, warden::Warden, watched::Watched};
use cassandra::{Cassandra, CassandraError};
use kafka::{Cluster, LateSender};
use pipeline::Pipeline;
use queue::{By, NewRun, Queue};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, OnceCell};
use uuid::Uuid;

/// Connections are made when they are first needed: a scheduler is of use while Cassandra is away.
#[derive(Clone)]
pub struct Outside {
    pub queue: Queue,
    /// Runs that are asked for at the same time are made together.
    pub triggers: Together<(NewRun, By), (Uuid, bool)>,
    /// Connections and variables.
    pub named: Places,
    pub cluster: Cluster,
    /// Of what topics are told.
    pub sender: Arc<LateSender>,
    pub http: reqwest::Client,
    pub fetcher_url: String,
    pub results: Results,
    /// Tasks whose pages were opened.
    pub watched: Watched,
    /// Told of each child process.
    pub warden: Warden,
    /// Tells the executor of this process that tasks wait.
    pub ready: Arc<Notify>,
    analytics_settings: service::settings::Postgres,
    cassandra_hosts: String,
    analytics: Arc<OnceCell<postgres::PgPool>>,
    cassandra: Arc<OnceCell<Cassandra>>,
    versions: Arc<Mutex<HashMap<String, Arc<Pipeline>>>>,
}

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Versions of pipelines that are kept parsed.
const VERSIONS_MAX: usize = 100;

impl Outside {
    pub fn new(
        config: &Config,
        queue: Queue,
        named: Places,
        triggers: Together<(NewRun, By), (Uuid, bool)>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            warden: Warden::new(queue.guards()),
            queue,
            triggers,
            named,
            cluster: Cluster::new(&config.kafka.bootstrap),
            sender: Arc::new(LateSender::new(&config.kafka.bootstrap)),
            // How long an answer may take is each task's timeout.
            http: reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_MAX).build()?,
            fetcher_url: config.fetcher_url.clone(),
            results: Results::new(&config.state_dir),
            watched: Watched::default(),
            ready: Arc::default(),
            analytics_settings: config.analytics.clone(),
            cassandra_hosts: config.cassandra.hosts.clone(),
            analytics: Arc::default(),
            cassandra: Arc::default(),
            versions: Arc::default(),
        })
    }

    pub async fn analytics(&self) -> Result<&postgres::PgPool, postgres::PostgresError> {
        let settings = &self.analytics_settings;
        self.analytics.get_or_try_init(|| postgres::connect_now(&settings.url, &settings.password)).await
    }

    pub async fn cassandra(&self) -> Result<&Cassandra, CassandraError> {
        self.cassandra.get_or_try_init(|| Cassandra::connect_now(&self.cassandra_hosts)).await
    }

    /// The version of a pipeline that a run keeps.
    pub async fn version(&self, pipeline: &str, hash: &str) -> Result<Arc<Pipeline>, String> {
        if let Some(known) = self.versions.lock().unwrap_or_else(PoisonError::into_inner).get(hash) {
            return Ok(known.clone());
        }
        let found = postgres::answered(pipeline::published::version(self.queue.pool(), pipeline, hash));
        let found = found.await.map_err(|cause| format!("cannot read the pipeline: {cause}"))?;
        let found = Arc::new(
            found
                .ok_or_else(|| format!("version {hash} of pipeline \"{pipeline}\" can no longer be read"))?,
        );
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if versions.len() >= VERSIONS_MAX {
            versions.clear();
        }
        versions.insert(hash.to_owned(), found.clone());
        Ok(found)
    }
}

#[cfg(test)]
impl Outside {
    /// Where nothing answers.
    pub fn nowhere() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings =
            |url: &str| service::settings::Postgres { url: url.into(), password: Default::default() };
        let url = "postgres://nobody@127.0.0.1:1/nothing";
        let pool = postgres::PgPool::connect_lazy(url).unwrap();
        Self {
            named: Places::new(HashMap::new(), std::path::Path::new("nowhere"), None, pool.clone()),
            queue: Queue::new(pool),
            triggers: crate::together::together().0,
            cluster: Cluster::new("127.0.0.1:1"),
            sender: Arc::new(LateSender::new("127.0.0.1:1")),
            http: reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_MAX).build().unwrap(),
            fetcher_url: String::new(),
            results: Results::default(),
            watched: Watched::default(),
            warden: Warden::default(),
            ready: Arc::default(),
            analytics_settings: settings(url),
            cassandra_hosts: String::new(),
            analytics: Arc::default(),
            cassandra: Arc::default(),
            versions: Arc::default(),
        }
    }
}
