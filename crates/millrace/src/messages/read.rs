//! Reading a few records. Blocking.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use kafka::{KafkaError, Polled, Reader, Record, Start};

/// Offsets `from..end` of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub partition: i32,
    pub from: i64,
    pub end: i64,
}

/// Kept in memory, over all partitions.
const BYTES_MAX: usize = 256 << 20;

/// The first or the newest `limit` records of the ranges, in the order of their times, and whether all were looked at.
pub fn read(
    bootstrap: &str,
    topic: &str,
    ranges: &[Range],
    limit: usize,
    newest: bool,
    within: Duration,
) -> Result<(Vec<Record>, bool), KafkaError> {
    if ranges.is_empty() {
        return Ok((vec![], true));
    }
    let until = Instant::now() + within;
    let reader = Reader::peek(bootstrap)?;
    let place = |range: &Range| (topic.to_string(), range.partition, Start::At(range.from));
    reader.assign(&ranges.iter().map(place).collect::<Vec<_>>())?;
    let mut shelves = shelves(ranges, limit, newest);
    while shelves.values().any(|shelf| !shelf.done) {
        let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
            break;
        };
        match reader.poll(left)? {
            Polled::Record(record) => {
                if let Some(shelf) = shelves.get_mut(&record.partition) {
                    shelf.put(record);
                }
            }
            Polled::End { partition, .. } => {
                if let Some(shelf) = shelves.get_mut(&partition) {
                    shelf.done = true;
                }
            }
            Polled::Nothing => {}
        }
    }
    let is_whole = shelves.values().all(|shelf| shelf.done);
    Ok((merged(shelves, limit, newest), is_whole))
}

/// What is kept of one partition while it is read, in the order of its offsets.
struct Shelf {
    end: i64,
    limit: usize,
    bytes_max: usize,
    newest: bool,
    kept: VecDeque<Record>,
    bytes: usize,
    done: bool,
}

fn shelves(ranges: &[Range], limit: usize, newest: bool) -> HashMap<i32, Shelf> {
    let bytes_max = BYTES_MAX / ranges.len().max(1);
    let shelf = |range: &Range| Shelf {
        end: range.end,
        limit,
        bytes_max,
        newest,
        kept: VecDeque::new(),
        bytes: 0,
        done: false,
    };
    ranges.iter().map(|range| (range.partition, shelf(range))).collect()
}

impl Shelf {
    fn put(&mut self, record: Record) {
        self.done |= record.offset >= self.end - 1;
        if record.offset >= self.end || (!self.newest && self.is_full()) {
            self.done = true;
            return;
        }
        self.bytes += size(&record);
        self.kept.push_back(record);
        if !self.newest {
            self.done |= self.is_full();
            return;
        }
        while self.kept.len() > 1 && (self.kept.len() > self.limit || self.bytes > self.bytes_max) {
            self.bytes -= self.kept.pop_front().map_or(0, |oldest| size(&oldest));
        }
    }

    fn is_full(&self) -> bool {
        self.kept.len() >= self.limit || self.bytes >= self.bytes_max
    }
}

fn size(record: &Record) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    record.key.as_ref().map_or(0, |key| key.len())
        + record.payload.as_ref().map_or(0, |payload| payload.len())
        + headers
}

/// Within a partition offsets decide: the clock of a producer may go back.
fn merged(shelves: HashMap<i32, Shelf>, limit: usize, newest: bool) -> Vec<Record> {
    let one = shelves.len() == 1;
    let mut records: Vec<Record> = shelves.into_values().flat_map(|shelf| shelf.kept).collect();
    records
        .sort_by_key(|record| (if one { 0 } else { record.timestamp_ms }, record.partition, record.offset));
    if newest {
        records.drain(..records.len().saturating_sub(limit));
    } else {
        records.truncate(limit);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64) -> Record {
        let timestamp_ms = offset * 10 + i64::from(partition);
        Record {
            topic: "users".into(),
            partition,
            offset,
            timestamp_ms,
            key: None,
            payload: None,
            headers: vec![],
        }
    }

    fn ranges() -> [Range; 2] {
        [0, 1].map(|partition| Range { partition, from: 0, end: 10 })
    }

    #[test]
    fn the_first_or_the_newest_are_kept_and_the_end_is_noticed() {
        let cases: [(bool, &[i64], &[i64], bool); 4] = [
            (true, &[1, 2, 3, 4], &[2, 3, 4], false),
            // The end of the range was a transaction's marker.
            (true, &[1, 2, 12], &[1, 2], true),
            (false, &[1, 2, 3, 4], &[1, 2, 3], true),
            (false, &[1, 9], &[1, 9], true),
        ];
        for (newest, read, kept, done) in cases {
            let mut shelves = shelves(&ranges(), 3, newest);
            let shelf = shelves.entry(0).or_insert_with(|| unreachable!());
            read.iter().for_each(|offset| shelf.put(record(0, *offset)));
            let found: Vec<i64> = shelf.kept.iter().map(|record| record.offset).collect();
            assert_eq!((found.as_slice(), shelf.done), (kept, done), "{newest} {read:?}");
        }
    }

    #[test]
    fn partitions_are_merged_by_time() {
        for (newest, expected) in [(false, [(0, 1), (1, 2), (0, 4)]), (true, [(1, 2), (0, 4), (1, 4)])] {
            let mut shelves = shelves(&ranges(), 3, newest);
            for (partition, offset) in [(0, 1), (0, 4), (1, 2), (1, 4)] {
                shelves.entry(partition).or_insert_with(|| unreachable!()).put(record(partition, offset));
            }
            let found: Vec<_> =
                merged(shelves, 3, newest).iter().map(|record| (record.partition, record.offset)).collect();
            assert_eq!(found, expected);
        }
    }
}
