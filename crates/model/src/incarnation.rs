//! The version of a row: its place in its topic.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One life of a topic, told from a later one of the same name by Kafka's topic id.
///
/// A record's version is `start + offset`. Versions of a key never tie or go back, because a key lives in one partition and
/// a later incarnation starts above everything that an earlier one can have given. As `start` is a time in microseconds,
/// Cassandra's `writetime` stays plausible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation {
    pub topic: String,
    pub topic_id: Uuid,
    /// Microseconds since 1970.
    pub start: i64,
}

impl Incarnation {
    /// Where a new incarnation starts: now, or just above the last one's highest version if that is later.
    pub fn start_after(now_micros: i64, previous: Option<(i64, i64)>) -> i64 {
        let above = previous.map_or(i64::MIN, |(start, last_offset)| start + last_offset + 1);
        now_micros.max(above)
    }

    /// The version of the record at `offset`, the same number however often the record is read.
    pub fn version(&self, offset: i64) -> i64 {
        self.start + offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn versions_never_go_back_over_incarnations(
            lives in proptest::collection::vec((0i64..1 << 50, 0i64..1 << 40), 1..20)
        ) {
            let mut previous: Option<(i64, i64)> = None;
            let mut highest = i64::MIN;
            for (now, last_offset) in lives {
                let start = Incarnation::start_after(now, previous);
                prop_assert!(start > highest);
                highest = start + last_offset;
                previous = Some((start, last_offset));
            }
        }
    }
}
