//! A topic: its partitions, what it keeps and how fast it grows.

use super::history::{GAP, History};
use crate::survey::Survey;
use chrono::TimeDelta;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Topic {
    pub name: String,
    /// Told anew for every incarnation of the name.
    pub id: String,
    pub internal: bool,
    pub partitions: Vec<Partition>,
    /// Written per second, at each of the last surveys. Transaction markers are counted.
    #[serde(skip)]
    pub rates: History,
}

#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    pub id: i32,
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
    /// The oldest offset that is kept. Offsets are not known while the leader does not answer.
    pub first: Option<i64>,
    /// Behind the last record that a transaction's reader can reach.
    pub end: Option<i64>,
    /// On disk, replicas added up.
    pub bytes: Option<u64>,
}

impl Partition {
    /// Records between the two ends; markers and compacted records are counted too, so it is an upper bound.
    pub fn kept(&self) -> Option<u64> {
        u64::try_from(self.end? - self.first?).ok()
    }

    pub fn is_under_replicated(&self) -> bool {
        self.in_sync.len() < self.replicas.len()
    }
}

impl Topic {
    pub(super) fn of(
        found: &kafka::cluster::Topic,
        survey: &Survey,
        before: Option<&Topic>,
        passed: Option<TimeDelta>,
    ) -> Self {
        let partitions =
            found.partitions.iter().map(|partition| partition_of(&found.name, partition, survey));
        let mut topic = Self {
            name: found.name.clone(),
            id: found.id.to_string(),
            internal: found.internal,
            partitions: partitions.collect(),
            rates: History::default(),
        };
        // Another incarnation of the name begins anew.
        if let Some(before) = before.filter(|before| before.id == topic.id) {
            topic.rates = before.rates.and(rate(before.end(), topic.end(), passed));
        }
        topic
    }

    /// The ends of all partitions added up.
    fn end(&self) -> Option<i64> {
        self.partitions.iter().map(|partition| partition.end).sum()
    }

    /// Records kept, as far as the partitions' leaders answer.
    pub fn kept(&self) -> u64 {
        self.partitions.iter().filter_map(Partition::kept).sum()
    }

    pub fn bytes(&self) -> Option<u64> {
        self.partitions.iter().map(|partition| partition.bytes).sum()
    }

    pub fn replication(&self) -> usize {
        self.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or(0)
    }

    pub fn under_replicated(&self) -> usize {
        self.partitions.iter().filter(|partition| partition.is_under_replicated()).count()
    }

    pub fn leaderless(&self) -> usize {
        self.partitions.iter().filter(|partition| partition.leader.is_none()).count()
    }

    /// Written per second between the last two surveys.
    pub fn rate(&self) -> Option<f64> {
        self.rates.from_end(0)
    }

    /// The topic whose dead letters these are.
    pub fn dead_letters_of(&self) -> Option<&str> {
        self.name.strip_suffix("-dead")
    }
}

fn partition_of(topic: &str, found: &kafka::cluster::Partition, survey: &Survey) -> Partition {
    let at = |ends: &std::collections::BTreeMap<String, wire::passed::Offsets>| {
        ends.get(topic).and_then(|offsets| offsets.0.get(&found.id).copied())
    };
    let size = survey.sizes.get(topic).and_then(|sizes| sizes.get(&found.id).copied());
    Partition {
        id: found.id,
        leader: (found.leader >= 0).then_some(found.leader),
        replicas: found.replicas.clone(),
        in_sync: found.in_sync.clone(),
        first: at(&survey.first),
        end: at(&survey.end),
        bytes: size.and_then(|bytes| u64::try_from(bytes).ok()),
    }
}

/// What was written per second. Nothing across a gap, or where offsets went back.
fn rate(before: Option<i64>, now: Option<i64>, passed: Option<TimeDelta>) -> Option<f64> {
    let written = now? - before?;
    let seconds = passed?.to_std().ok().filter(|span| !span.is_zero() && *span < GAP)?.as_secs_f64();
    (written >= 0).then(|| written as f64 / seconds)
}
