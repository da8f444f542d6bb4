//! The groups that were touched since the last flush, numbered for their accumulators.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use datafusion_common::DataFusionError;
use datafusion_expr_common::groups_accumulator::GroupsAccumulator;
use foldhash::fast::RandomState;

use super::{Aggregate, StateKey, accumulators, store::Store};

/// Groups with rows since the last flush, and their accumulators.
pub(super) struct Touched {
    /// By input partition and group: the place in `groups`.
    places: BTreeMap<i32, HashMap<Arc<[u8]>, usize, RandomState>>,
    pub(super) groups: Vec<Group>,
    pub(super) accumulators: Vec<Box<dyn GroupsAccumulator>>,
}

/// A group that was touched.
pub(super) struct Group {
    pub(super) key: StateKey,
    /// Its state before, taken out of the store.
    pub(super) old: Option<Box<[u8]>>,
    /// Its number in the accumulators.
    pub(super) number: usize,
}

impl Touched {
    pub(super) fn new(plan: &Aggregate) -> Result<Self, DataFusionError> {
        Ok(Self { places: BTreeMap::new(), groups: Vec::new(), accumulators: accumulators(plan)? })
    }

    /// Where the group stands in `groups`; with its first row it takes its state out of the store.
    pub(super) fn place(&mut self, partition: i32, group: &[u8], end: i64, store: &mut Store) -> usize {
        let places = self.places.entry(partition).or_default();
        if let Some(place) = places.get(group) {
            return *place;
        }
        let number = self.groups.len();
        let old = store.take(end, partition, group);
        let group: Arc<[u8]> = group.into();
        places.insert(Arc::clone(&group), number);
        self.groups.push(Group { key: StateKey { end, group, partition }, old, number });
        number
    }

    /// Numbers the groups from `first` on anew: those that have a state come before those that have none. Answers the states, in the
    /// order of the numbers.
    pub(super) fn number(&mut self, first: usize) -> Vec<&[u8]> {
        let new = &mut self.groups[first..];
        let mut with_state = first;
        let mut without = first + new.iter().filter(|group| group.old.is_some()).count();
        for group in new.iter_mut() {
            let next = if group.old.is_some() { &mut with_state } else { &mut without };
            group.number = *next;
            *next += 1;
        }
        new.iter().filter_map(|group| group.old.as_deref()).collect()
    }
}
