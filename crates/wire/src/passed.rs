//! Places in a topic: "next to read", per partition.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Per partition, the offset after the last record that is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offsets(pub BTreeMap<i32, i64>);

impl Offsets {
    /// Takes a written record in.
    pub fn include(&mut self, partition: i32, offset: i64) {
        let next = self.0.entry(partition).or_insert(0);
        *next = (*next).max(offset + 1);
    }

    /// Whether a reader that is at `self` has passed everything before `target`.
    pub fn has_passed(&self, target: &Offsets) -> bool {
        self.behind(target) == 0
    }

    /// How many offsets `self` is behind `target`, over all partitions of `target`.
    pub fn behind(&self, target: &Offsets) -> i64 {
        let at = |partition| self.0.get(partition).copied().unwrap_or(0);
        target.0.iter().map(|(partition, next)| (next - at(partition)).max(0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_passed_a_record_when_it_is_to_read_the_next() {
        let mut written = Offsets::default();
        written.include(0, 41);
        written.include(2, 7);
        written.include(0, 3);
        let reader = |at: [(i32, i64); 2]| Offsets(at.into());
        assert!(reader([(0, 42), (2, 8)]).has_passed(&written));
        assert_eq!(reader([(0, 40), (1, 99)]).behind(&written), 2 + 8);
        assert!(Offsets::default().has_passed(&Offsets::default()));
        assert_eq!(serde_json::to_string(&written).unwrap(), r#"{"0":42,"2":8}"#);
    }
}
