//! The records of one commit, and which of them a row comes from.

use bytes::Bytes;
use kafka::{RECORD_ID, Record};
use query::InRecord;
use std::cell::Cell;

/// Records in the order in which they were read, each with its id where it has one.
#[derive(Default)]
pub struct Taken {
    pub records: Vec<InRecord>,
    ids: Vec<Option<Bytes>>,
    /// Where the last one was found. Rows come in the order of their records, so the next is not far.
    last: Cell<usize>,
}

impl Taken {
    pub fn with_capacity(records: usize) -> Self {
        Self { records: Vec::with_capacity(records), ids: Vec::with_capacity(records), last: Cell::default() }
    }

    pub fn push(&mut self, record: Record) {
        let Record { partition, offset, timestamp_ms, key, payload, headers, .. } = record;
        self.ids.push(headers.into_iter().find(|(name, _)| name == RECORD_ID).map(|(_, id)| id));
        self.records.push(InRecord { partition, offset, timestamp_ms, key, payload });
    }

    /// The record at a place.
    pub fn find(&self, (partition, offset): (i32, i64)) -> Option<(&InRecord, Option<&str>)> {
        let is_it = |at: &usize| {
            let record = &self.records[*at];
            record.partition == partition && record.offset == offset
        };
        let all = self.records.len();
        let found = (self.last.get()..all).chain(0..self.last.get().min(all)).find(is_it)?;
        self.last.set(found);
        let id = self.ids[found].as_deref().and_then(|id| std::str::from_utf8(id).ok());
        Some((&self.records[found], id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64) -> Record {
        let id = format!("id-{partition}-{offset}");
        Record {
            topic: "users".into(),
            partition,
            offset,
            timestamp_ms: 0,
            key: None,
            payload: None,
            headers: vec![(RECORD_ID.into(), id.into())],
        }
    }

    #[test]
    fn a_record_is_found_by_its_place_in_any_order() {
        let mut taken = Taken::default();
        for (partition, offset) in [(0, 7), (1, 7), (1, 9), (0, 8)] {
            taken.push(record(partition, offset));
        }
        for (partition, offset) in [(1, 7), (1, 9), (0, 7), (0, 8), (0, 8), (1, 7)] {
            let (found, id) = taken.find((partition, offset)).unwrap();
            assert_eq!((found.partition, found.offset), (partition, offset));
            assert_eq!(id, Some(&*format!("id-{partition}-{offset}")));
        }
        assert!(taken.find((1, 8)).is_none());
        assert!(Taken::default().find((0, 0)).is_none());
    }
}
