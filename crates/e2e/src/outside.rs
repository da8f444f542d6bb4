//! What a story needs of the servers, wherever they run: clients of the stores, and the producer's address.

use anyhow::bail;
use cassandra::Cassandra;
use kafka::{Cluster, cluster::End};
use postgres::PgPool;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// The outside of a running system.
pub struct Outside {
    /// `http://host:port`.
    pub producer: String,
    pub cluster: Cluster,
    pub cassandra: Cassandra,
    /// The database of the PostgreSQL sink.
    pub analytics: PgPool,
    pub http: reqwest::Client,
    /// Where ledgers are written.
    pub folder: PathBuf,
}

const LOOK_AGAIN: Duration = Duration::from_millis(25);

impl Outside {
    /// Waits for a condition, and says what was waited for in vain.
    pub async fn within<F: Future<Output = bool>>(
        &self,
        limit: Duration,
        what: &str,
        mut holds: impl FnMut() -> F,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        while !holds().await {
            if started.elapsed() > limit {
                bail!("waited {limit:?} in vain: {what}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Waits until a group has passed all that is in a topic now.
    pub async fn has_passed(&self, group: &str, topic: &str, limit: Duration) -> anyhow::Result<()> {
        let ends = self.cluster.ends(topic, End::Stable).await?;
        let passed = || async {
            let committed = self.cluster.committed(group).await.unwrap_or_default();
            committed.get(topic).is_some_and(|places| places.has_passed(&ends))
        };
        self.within(limit, &format!("{group} has passed {topic}"), passed).await
    }

    /// Kafka's own consumer, for this cluster.
    pub fn console(&self) -> anyhow::Result<checker::console::Console> {
        let mut jars: Vec<PathBuf> = std::fs::read_dir(servers::default_cache().join("jars/kafka"))?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        jars.sort();
        let java = servers::find_java(None)?.program;
        Ok(checker::console::Console { java, jars, bootstrap: self.cluster.bootstrap().to_owned() })
    }
}
