//! Records that are written as one. Pure.

use crate::{Places, Row, Table};
use kafka::Record;
use wire::passed::Offsets;

/// Records, what they are as rows, and how far the topic is read with them.
pub struct Batch<B> {
    /// Those of the rows, in their order: what a row's dead letter is made of.
    pub records: Vec<Record>,
    pub rows: B,
    /// Records that cannot be a row, and why.
    pub bad: Vec<(Record, String)>,
    /// Next to read, once all before is durable or in quarantine.
    pub next: Offsets,
}

/// A batch that grows.
#[derive(Default)]
pub struct Gathered {
    records: Vec<Record>,
    rows: Vec<Row>,
    bad: Vec<(Record, String)>,
    bytes: usize,
}

/// Of a batch's keys and values; one record may be over it. In memory it takes about three times as much, and five batches are there at
/// once: two being written, one that waits, one that is handed over, one being read.
const BYTES_MAX: usize = 4 * 1024 * 1024;

impl Gathered {
    pub fn add(&mut self, record: Record, row: Result<Row, String>) {
        self.bytes +=
            [&record.key, &record.payload].into_iter().flatten().map(|part| part.len()).sum::<usize>();
        match row {
            Ok(row) => {
                self.records.push(record);
                self.rows.push(row);
            }
            Err(reason) => self.bad.push((record, reason)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_full(&self, records_max: usize) -> bool {
        self.len() >= records_max || self.bytes >= BYTES_MAX
    }

    fn len(&self) -> usize {
        self.records.len() + self.bad.len()
    }

    /// Makes it ready for a table.
    pub fn ready<T: Table>(self, table: &T, places: Places) -> Batch<T::Batch> {
        let next = places.next.clone();
        Batch { records: self.records, rows: table.ready(self.rows, places), bad: self.bad, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: usize, bytes: usize) -> Gathered {
        let record = Record {
            topic: "t".into(),
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            key: None,
            payload: Some(vec![0; bytes].into()),
            headers: vec![],
        };
        let mut gathered = Gathered::default();
        for n in 0..records {
            let row = if n % 2 == 0 { Ok(Row { values: vec![], version: 0 }) } else { Err("no row".into()) };
            gathered.add(record.clone(), row);
        }
        gathered
    }

    #[test]
    fn a_batch_is_full_of_records_or_of_bytes() {
        let cases = [(9, 10, false), (10, 10, true), (3, 1 << 20, false), (4, 1 << 20, true)];
        for (records, bytes, expected) in cases {
            assert_eq!(of(records, bytes).is_full(10), expected, "{records} of {bytes} bytes");
        }
    }
}
