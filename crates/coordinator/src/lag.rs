//! How many records each job has not read yet.

use kafka::{Cluster, KafkaError, cluster::End};
use pipeline::{Job, Published};
use service::CancellationToken;
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::watch;
use wire::passed::Offsets;

const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Follows the lag of every published job, in records.
pub fn follow(
    cluster: Cluster,
    published: watch::Receiver<Published>,
    shutdown: CancellationToken,
) -> watch::Receiver<BTreeMap<String, u64>> {
    let (sender, receiver) = watch::channel(BTreeMap::new());
    tokio::spawn(async move {
        while !shutdown.is_cancelled() && !sender.is_closed() {
            let current = published.borrow().clone();
            let mut lags = BTreeMap::new();
            for job in current.pipelines.values().flat_map(|pipeline| pipeline.jobs.values()) {
                match lag(&cluster, job).await {
                    Ok(lag) => drop(lags.insert(job.name.clone(), lag)),
                    Err(cause) => tracing::debug!("lag of {}: {cause}", job.name),
                }
            }
            sender.send_replace(lags);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
    receiver
}

async fn lag(cluster: &Cluster, job: &Job) -> Result<u64, KafkaError> {
    let mut behind = 0;
    for (topic, at) in cluster.committed(&job.group()).await? {
        let first = cluster.ends(&topic, End::First).await?;
        let ends = cluster.ends(&topic, End::Stable).await?;
        // What was deleted before it was read is not waiting any more.
        let at = Offsets(
            ends.0
                .keys()
                .map(|partition| {
                    (
                        *partition,
                        at.0.get(partition)
                            .copied()
                            .unwrap_or(0)
                            .max(first.0.get(partition).copied().unwrap_or(0)),
                    )
                })
                .collect(),
        );
        behind += at.behind(&ends);
    }
    Ok(behind.max(0) as u64)
}
