//! Asking Kafka everything once.

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use kafka::{
    Cluster, KafkaError,
    cluster::{Broker, End, Topic},
};
use std::collections::{BTreeMap, HashMap};
use wire::passed::Offsets;

/// Kafka's answers of about the same moment.
#[derive(Clone, Debug)]
pub struct Survey {
    pub at: DateTime<Utc>,
    pub brokers: Vec<Broker>,
    pub topics: Vec<Topic>,
    pub first: BTreeMap<String, Offsets>,
    pub end: BTreeMap<String, Offsets>,
    /// Bytes per topic and partition, replicas added up.
    pub sizes: HashMap<String, BTreeMap<i32, i64>>,
    /// What each group has committed; an error says why not even their names are known.
    pub groups: Result<Groups, String>,
    /// What could not be found out, in sentences.
    pub troubles: Vec<String>,
}

/// By the group's name; an error says why its offsets are not known.
pub type Groups = BTreeMap<String, Result<Committed, String>>;

/// Per topic, what a group reads next.
pub type Committed = BTreeMap<String, Offsets>;

/// More groups would take longer than the time between two surveys.
pub const GROUPS_MAX: usize = 500;
/// Groups that are asked about at once: each is a connection of its own.
const GROUPS_AT_ONCE: usize = 8;

/// Asks. An error means that not even brokers and topics are known; smaller failures are `troubles`.
pub async fn survey(cluster: &Cluster) -> Result<Survey, KafkaError> {
    let (brokers, topics) = tokio::try_join!(cluster.brokers(), cluster.topics())?;
    let (first, end, sizes, names) = tokio::join!(
        cluster.ends_of(&topics, End::First),
        cluster.ends_of(&topics, End::Stable),
        cluster.sizes(),
        cluster.groups()
    );
    let mut troubles = vec![];
    let groups = match names {
        Ok(names) => Ok(groups(cluster, names, &mut troubles).await),
        Err(cause) => Err(cause.to_string()),
    };
    Ok(Survey {
        at: Utc::now(),
        brokers,
        first: known("The first offsets", first, &mut troubles),
        end: known("The end offsets", end, &mut troubles),
        sizes: known("The sizes on disk", sizes, &mut troubles),
        topics,
        groups,
        troubles,
    })
}

fn known<T: Default>(what: &str, answer: Result<T, KafkaError>, troubles: &mut Vec<String>) -> T {
    answer.unwrap_or_else(|cause| {
        troubles.push(format!("{what} are not known: {cause}"));
        T::default()
    })
}

async fn groups(cluster: &Cluster, mut names: Vec<String>, troubles: &mut Vec<String>) -> Groups {
    if names.len() > GROUPS_MAX {
        troubles
            .push(format!("There are {} consumer groups; the first {GROUPS_MAX} are shown.", names.len()));
        names.truncate(GROUPS_MAX);
    }
    let ask = |name: String| async move {
        let committed = cluster.committed(&name).await.map_err(|cause| cause.to_string());
        (name, committed)
    };
    stream::iter(names).map(ask).buffer_unordered(GROUPS_AT_ONCE).collect().await
}
