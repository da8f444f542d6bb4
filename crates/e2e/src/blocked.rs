//! For how long readers of committed records waited for a transaction that was open before them.

use kafka::{Cluster, cluster::End};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A watch over some topics.
pub struct Blocked {
    stop: DropGuard,
    looking: JoinHandle<Duration>,
}

const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Blocked {
    pub fn watch(cluster: &Cluster, topics: &[&'static str]) -> Self {
        let (stop, cluster, topics) = (CancellationToken::new(), cluster.clone(), topics.to_vec());
        let stopped = stop.clone();
        let looking = tokio::spawn(async move {
            let (mut since, mut longest) = (Since::new(), Duration::ZERO);
            while !stopped.is_cancelled() {
                for topic in &topics {
                    longest = longest.max(look(&cluster, topic, &mut since).await.unwrap_or_default());
                }
                tokio::select! { () = tokio::time::sleep(LOOK_AGAIN) => {}, () = stopped.cancelled() => {} }
            }
            longest
        });
        Self { stop: stop.drop_guard(), looking }
    }

    /// The longest time that a reader stood at one offset with more behind it.
    pub async fn end(self) -> Duration {
        drop(self.stop);
        self.looking.await.unwrap_or_default()
    }
}

/// By topic and partition: where a reader stands, and since when.
type Since = BTreeMap<(&'static str, i32), (i64, Instant)>;

async fn look(
    cluster: &Cluster,
    topic: &'static str,
    since: &mut Since,
) -> Result<Duration, kafka::KafkaError> {
    // In this order: what is written in between must not look as if it were held back.
    let written = cluster.ends(topic, End::Written).await?;
    let stable = cluster.ends(topic, End::Stable).await?;
    let now = Instant::now();
    let mut longest = Duration::ZERO;
    for (partition, offset) in stable.0 {
        let is_held_back = written.0.get(&partition).is_some_and(|end| *end > offset);
        match since.get(&(topic, partition)) {
            Some((at, begun)) if is_held_back && *at == offset => longest = longest.max(now - *begun),
            _ => drop(since.insert((topic, partition), (offset, now))),
        }
    }
    Ok(longest)
}
