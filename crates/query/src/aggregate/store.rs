//! The states that are kept: found by window, partition and group, and in their order when windows close.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::StateKey;

/// By the end of the window, so that those that close are the first; then by input partition and group.
#[derive(Default)]
pub(super) struct Store {
    windows: BTreeMap<i64, BTreeMap<i32, Groups>>,
    len: usize,
}

type Groups = HashMap<Arc<[u8]>, Box<[u8]>, RandomState>;

impl Store {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, key: StateKey, state: Box<[u8]>) {
        let groups = self.windows.entry(key.end).or_default().entry(key.partition).or_default();
        self.len += usize::from(groups.insert(key.group, state).is_none());
    }

    /// Takes a state out.
    pub(super) fn take(&mut self, end: i64, partition: i32, group: &[u8]) -> Option<Box<[u8]>> {
        let state = self.windows.get_mut(&end)?.get_mut(&partition)?.remove(group)?;
        self.len -= 1;
        Some(state)
    }

    /// The states of one group of a window, of all partitions in their order.
    pub(super) fn partials(&self, key: &StateKey) -> impl Iterator<Item = (StateKey, &[u8])> {
        let partitions = self.windows.get(&key.end).into_iter().flatten();
        partitions.filter_map(|(partition, groups)| {
            let (group, state) = groups.get_key_value(&key.group)?;
            Some((StateKey { end: key.end, group: Arc::clone(group), partition: *partition }, &**state))
        })
    }

    /// Takes out all that ends at or before `until`, in the order of the keys.
    pub(super) fn close(&mut self, until: i64) -> Vec<(StateKey, Box<[u8]>)> {
        let open = self.windows.split_off(&until.saturating_add(1));
        let mut closed = Vec::new();
        for (end, partitions) in std::mem::replace(&mut self.windows, open) {
            for (partition, groups) in partitions {
                let key = |group| StateKey { end, group, partition };
                closed.extend(groups.into_iter().map(|(group, state)| (key(group), state)));
            }
        }
        self.len -= closed.len();
        closed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        closed
    }
}
