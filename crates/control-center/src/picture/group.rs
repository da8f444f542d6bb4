//! A consumer group: how far behind it is, and whether it gets there.

use super::{
    history::{GAP, History},
    topic::{Partition, Topic},
};
use crate::{oldest::Oldest, survey::Committed};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use wire::passed::Offsets;

#[derive(Clone, Debug, Serialize)]
pub struct Group {
    pub name: String,
    pub kind: Kind,
    /// Why its offsets are not known.
    pub problem: Option<String>,
    /// Per topic that it has read of, all partitions of the topic.
    pub topics: BTreeMap<String, Vec<Place>>,
    /// Records behind, at each of the last surveys.
    #[serde(skip)]
    pub lags: History,
    /// When it last committed something new or had nothing to read, as far as it was watched.
    pub moved_at: DateTime<Utc>,
}

/// Who reads, told by the group's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Job,
    Sink,
    Other,
}

/// A group's place in a partition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    pub partition: i32,
    /// Next to read; nothing was committed yet where absent.
    pub committed: Option<i64>,
    pub end: Option<i64>,
    /// Records behind the end. Transaction markers are counted.
    pub lag: Option<u64>,
    /// Records that were deleted before the group read them.
    pub missed: u64,
    /// When the oldest unread record was written.
    pub oldest: Option<DateTime<Utc>>,
}

/// What a group's lag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    Unknown,
    CaughtUp,
    Reading,
    Growing,
    Still,
}

/// Lag must grow through so many surveys (a minute) to be called growing: a batch that arrives is not a trend.
const GROWING_SURVEYS: usize = 30;
/// A group that is behind and commits nothing for so long stands still.
const STILL_AFTER: TimeDelta = TimeDelta::seconds(60);

impl Group {
    pub(super) fn of(
        name: &str,
        committed: &Result<Committed, String>,
        topics: &[Topic],
        oldest: &Oldest,
        at: DateTime<Utc>,
        before: Option<&Group>,
        passed: Option<TimeDelta>,
    ) -> Self {
        let (read, problem) = match committed {
            Ok(read) => (places(read, topics, oldest), None),
            // The last known places stay, so that a group that stands still is still known to.
            Err(reason) => {
                (before.map_or_else(BTreeMap::new, |before| before.topics.clone()), Some(reason.clone()))
            }
        };
        let mut group = Self {
            name: name.to_owned(),
            kind: Kind::of(name),
            problem,
            topics: read,
            lags: before.map_or_else(History::default, |before| before.lags.clone()),
            moved_at: at,
        };
        if passed.is_some_and(|passed| passed.to_std().unwrap_or_default() >= GAP) {
            group.lags = group.lags.and(None);
        }
        group.lags = group.lags.and(group.lag().map(|lag| lag as f64));
        if let Some(before) =
            before.filter(|before| group.lag() != Some(0) && before.offsets() == group.offsets())
        {
            group.moved_at = before.moved_at;
        }
        group
    }

    /// Records behind, over all its partitions; not known where one is not.
    pub fn lag(&self) -> Option<u64> {
        if self.problem.is_some() {
            return None;
        }
        self.places().map(|place| place.lag).sum()
    }

    pub fn missed(&self) -> u64 {
        self.places().map(|place| place.missed).sum()
    }

    /// When the oldest record was written that it has not read.
    pub fn oldest(&self) -> Option<DateTime<Utc>> {
        self.places().filter_map(|place| place.oldest).min()
    }

    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.topics.values().flatten()
    }

    /// What its lag did up to `at`, the time of the survey.
    pub fn trend(&self, at: DateTime<Utc>) -> Trend {
        match self.lag() {
            None => Trend::Unknown,
            Some(0) => Trend::CaughtUp,
            Some(_) if at - self.moved_at >= STILL_AFTER => Trend::Still,
            Some(_) if is_growing(&self.lags) => Trend::Growing,
            Some(_) => Trend::Reading,
        }
    }

    fn offsets(&self) -> Vec<Option<i64>> {
        self.places().map(|place| place.committed).collect()
    }
}

impl Kind {
    fn of(name: &str) -> Self {
        match name.split_once('.') {
            Some(("job", _)) => Kind::Job,
            Some(("sink", _)) => Kind::Sink,
            _ => Kind::Other,
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Kind::Job => "job",
            Kind::Sink => "sink",
            Kind::Other => "other",
        }
    }
}

fn places(read: &Committed, topics: &[Topic], oldest: &Oldest) -> BTreeMap<String, Vec<Place>> {
    let of_topic = |(name, offsets): (&String, &Offsets)| {
        // A topic that was deleted keeps its offsets for a while; nobody is behind on it.
        let topic = topics.iter().find(|topic| topic.name == *name)?;
        let place = |partition: &Partition| place(name, partition, offsets, oldest);
        Some((name.clone(), topic.partitions.iter().map(place).collect()))
    };
    read.iter().filter(|(_, offsets)| !offsets.0.is_empty()).filter_map(of_topic).collect()
}

fn place(topic: &str, partition: &Partition, offsets: &Offsets, oldest: &Oldest) -> Place {
    let committed = offsets.0.get(&partition.id).copied();
    let first = partition.first;
    // Where nothing was committed, or what was to be read next is gone, reading goes on with the oldest record.
    let next = first.map(|first| committed.map_or(first, |committed| committed.max(first))).or(committed);
    let lag = partition.end.zip(next).map(|(end, next)| u64::try_from(end - next).unwrap_or(0));
    let missed =
        first.zip(committed).map_or(0, |(first, committed)| u64::try_from(first - committed).unwrap_or(0));
    Place {
        partition: partition.id,
        committed,
        end: partition.end,
        lag,
        missed,
        oldest: next.filter(|_| lag > Some(0)).and_then(|next| oldest.written_at(topic, partition.id, next)),
    }
}

/// Whether the least of the later half is more than the most of the earlier half.
fn is_growing(lags: &History) -> bool {
    let Some(lags) = lags.last(GROWING_SURVEYS) else { return false };
    let (earlier, later) = lags.split_at(GROWING_SURVEYS / 2);
    let most = earlier.iter().copied().fold(f64::MIN, f64::max);
    let least = later.iter().copied().fold(f64::MAX, f64::min);
    least > most
}
