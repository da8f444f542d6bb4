//! Reading a few records. Blocking.

use super::asked::{Range, Window};
use kafka::{KafkaError, Polled, Reader, Record, Start};
use std::{collections::VecDeque, time::Instant};

/// What one look keeps in memory, over all partitions.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Reads what the window wants, the newest first, and answers with it the partitions that were not finished at `until`.
pub fn read(
    bootstrap: &str,
    topic: &str,
    window: &Window,
    until: Instant,
) -> Result<(Vec<Record>, Vec<i32>), KafkaError> {
    if window.ranges.is_empty() {
        return Ok((vec![], vec![]));
    }
    let reader = Reader::peek(bootstrap)?;
    let place = |range: &Range| (topic.to_owned(), range.partition, Start::At(range.from));
    reader.assign(&window.ranges.iter().map(place).collect::<Vec<_>>())?;
    let mut shelves = shelves(window);
    while shelves.iter().any(|shelf| !shelf.done) {
        let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
            break;
        };
        match reader.poll(left)? {
            Polled::Record(record) => {
                if let Some(shelf) =
                    shelves.iter_mut().find(|shelf| shelf.range.partition == record.partition)
                {
                    shelf.put(record);
                }
            }
            Polled::End { partition, .. } => {
                shelves
                    .iter_mut()
                    .filter(|shelf| shelf.range.partition == partition)
                    .for_each(|shelf| shelf.done = true);
            }
            Polled::Nothing => {}
        }
    }
    let unfinished = shelves.iter().filter(|shelf| !shelf.done).map(|shelf| shelf.range.partition).collect();
    Ok((newest(shelves, window.limit), unfinished))
}

/// What is kept of one partition while it is read, in the order of its offsets.
struct Shelf {
    range: Range,
    limit: usize,
    bytes_max: usize,
    last: bool,
    kept: VecDeque<Record>,
    bytes: usize,
    done: bool,
}

fn shelves(window: &Window) -> Vec<Shelf> {
    let bytes_max = BYTES_MAX / window.ranges.len().max(1);
    let shelf = |range: &Range| Shelf {
        range: *range,
        limit: window.limit,
        bytes_max,
        last: window.last,
        kept: VecDeque::new(),
        bytes: 0,
        done: false,
    };
    window.ranges.iter().map(shelf).collect()
}

impl Shelf {
    fn put(&mut self, record: Record) {
        self.done |= record.offset >= self.range.to - 1;
        if record.offset >= self.range.to || !self.last && self.is_full() {
            self.done = true;
            return;
        }
        self.bytes += size(&record);
        self.kept.push_back(record);
        if self.last {
            self.drop_oldest();
        } else {
            self.done |= self.is_full();
        }
    }

    fn is_full(&self) -> bool {
        self.kept.len() >= self.limit || self.bytes >= self.bytes_max
    }

    /// Always keeps the newest one, however large it is.
    fn drop_oldest(&mut self) {
        while self.kept.len() > 1 && (self.kept.len() > self.limit || self.bytes > self.bytes_max) {
            self.bytes -= self.kept.pop_front().as_ref().map_or(0, size);
        }
    }
}

fn size(record: &Record) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    record.key.as_ref().map_or(0, |key| key.len())
        + record.payload.as_ref().map_or(0, |payload| payload.len())
        + headers
}

fn newest(shelves: Vec<Shelf>, limit: usize) -> Vec<Record> {
    let mut records: Vec<Record> = shelves.into_iter().flat_map(|shelf| shelf.kept).collect();
    // Within a partition offsets decide: the clock of a producer may go back.
    let one = records.windows(2).all(|pair| pair[0].partition == pair[1].partition);
    let time = |record: &Record| if one { 0 } else { record.timestamp_ms };
    records.sort_by_key(|record| std::cmp::Reverse((time(record), record.partition, record.offset)));
    records.truncate(limit);
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64) -> Record {
        Record {
            topic: "users".into(),
            partition,
            offset,
            timestamp_ms: offset * 10 + i64::from(partition),
            key: None,
            payload: Some(vec![0; 100].into()),
            headers: vec![],
        }
    }

    fn window(last: bool, limit: usize) -> Window {
        let range = |partition| Range { partition, from: 0, to: 10 };
        Window { ranges: vec![range(0), range(1)], limit, last, one: false }
    }

    fn offsets(window: &Window, read: &[i64]) -> (Vec<i64>, bool) {
        let mut shelf = shelves(window).remove(0);
        read.iter().for_each(|offset| shelf.put(record(0, *offset)));
        (shelf.kept.iter().map(|record| record.offset).collect(), shelf.done)
    }

    #[test]
    fn the_last_or_the_first_of_a_range_are_kept_and_its_end_is_noticed() {
        let cases: [(bool, &[i64], &[i64], bool); 5] = [
            (true, &[1, 2, 3, 4], &[2, 3, 4], false),
            (true, &[1, 2, 8, 9], &[2, 8, 9], true),
            // The end of the range was a transaction's marker.
            (true, &[1, 2, 12], &[1, 2], true),
            (false, &[1, 2, 3, 4], &[1, 2, 3], true),
            (false, &[1, 12], &[1], true),
        ];
        for (last, read, kept, done) in cases {
            assert_eq!(offsets(&window(last, 3), read), (kept.to_vec(), done), "{last} {read:?}");
        }
    }

    #[test]
    fn large_records_push_out_older_ones_but_never_the_newest() {
        let mut shelf = shelves(&window(true, 3)).remove(0);
        shelf.bytes_max = 50;
        (0..3).for_each(|offset| shelf.put(record(0, offset)));
        assert_eq!((shelf.kept.len(), shelf.kept[0].offset, shelf.bytes), (1, 2, 100));
    }

    #[test]
    fn partitions_are_merged_by_time_the_newest_first() {
        let mut shelves = shelves(&window(true, 3));
        for (shelf, offset) in [(0, 1), (0, 4), (1, 2), (1, 4)] {
            shelves[shelf].put(record(shelf as i32, offset));
        }
        let found: Vec<_> =
            newest(shelves, 3).iter().map(|record| (record.partition, record.offset)).collect();
        assert_eq!(found, [(1, 4), (0, 4), (1, 2)]);
    }
}
