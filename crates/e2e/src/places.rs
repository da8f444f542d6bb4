//! What groups commit, looked at again and again: an offset must never go back.

use kafka::Cluster;
use std::{collections::BTreeMap, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

type Looks = BTreeMap<(String, i32), Vec<i64>>;

/// A watch over some groups.
pub struct Places {
    stop: DropGuard,
    looking: JoinHandle<Looks>,
}

const LOOK_AGAIN: Duration = Duration::from_millis(400);

impl Places {
    /// Watches groups, each with the topic that it reads.
    pub fn watch(cluster: &Cluster, groups: &[(&'static str, &'static str)]) -> Self {
        let (stop, cluster, groups) = (CancellationToken::new(), cluster.clone(), groups.to_vec());
        let stopped = stop.clone();
        let looking = tokio::spawn(async move {
            let mut looks = Looks::new();
            while !stopped.is_cancelled() {
                for (group, topic) in &groups {
                    look(&cluster, group, topic, &mut looks).await;
                }
                tokio::select! { () = tokio::time::sleep(LOOK_AGAIN) => {}, () = stopped.cancelled() => {} }
            }
            looks
        });
        Self { stop: stop.drop_guard(), looking }
    }

    pub async fn end(self) -> Looks {
        drop(self.stop);
        self.looking.await.unwrap_or_default()
    }
}

/// A look that fails says nothing: the broker may be the one that was killed.
async fn look(cluster: &Cluster, group: &str, topic: &str, looks: &mut Looks) {
    let Ok(mut committed) = cluster.committed(group).await else { return };
    for (partition, offset) in committed.remove(topic).unwrap_or_default().0 {
        looks.entry((group.to_owned(), partition)).or_default().push(offset);
    }
}
