//! The groups that were touched since the last flush, numbered for their accumulators.

use std::collections::HashMap;

use datafusion_common::DataFusionError;
use datafusion_expr_common::groups_accumulator::GroupsAccumulator;

use super::{Aggregate, StateKey, accumulators};

/// Groups with rows since the last flush, and their accumulators by position.
pub(super) struct Touched {
    positions: HashMap<i32, HashMap<Box<[u8]>, usize>>,
    pub(super) keys: Vec<StateKey>,
    pub(super) accumulators: Vec<Box<dyn GroupsAccumulator>>,
}

impl Touched {
    pub(super) fn new(plan: &Aggregate) -> Result<Self, DataFusionError> {
        Ok(Self { positions: HashMap::new(), keys: Vec::new(), accumulators: accumulators(plan)? })
    }

    pub(super) fn position(&mut self, partition: i32, group: &[u8], end: i64) -> usize {
        let groups = self.positions.entry(partition).or_default();
        if let Some(position) = groups.get(group) {
            return *position;
        }
        let position = self.keys.len();
        groups.insert(group.into(), position);
        self.keys.push(StateKey { end, group: group.into(), partition });
        position
    }
    /// Renumbers the groups from `first` on: the one at `order[i]` becomes `first + i`.
    pub(super) fn reorder(&mut self, first: usize, order: &[usize], positions: &mut [usize]) {
        let mut renumbered = vec![0; order.len()];
        for (i, old) in order.iter().enumerate() {
            renumbered[old - first] = first + i;
        }
        positions.iter_mut().filter(|p| **p >= first).for_each(|p| *p = renumbered[*p - first]);
        let keys = order.iter().map(|old| self.keys[*old].clone()).collect::<Vec<_>>();
        for (i, key) in keys.iter().enumerate() {
            if let Some(position) = self.positions.get_mut(&key.partition).and_then(|g| g.get_mut(&key.group))
            {
                *position = first + i;
            }
        }
        self.keys.truncate(first);
        self.keys.extend(keys);
    }
}
