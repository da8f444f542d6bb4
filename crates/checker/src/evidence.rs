//! What is there afterwards: topics, tables, places, markers.

use crate::Event;
use std::collections::BTreeMap;

/// Everything that was read when all had come to rest.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The topic that the load client's records are in.
    pub input: Vec<Message>,
    /// The job's output.
    pub clean: Vec<Message>,
    /// The dead letters.
    pub dead: Vec<Message>,
    /// Rows that the job counted as too late.
    pub late: u64,
    pub tables: Vec<Table>,
    /// The rows of the job that counts events by key and minute; `None` where nobody looked.
    pub windows: Option<Vec<Window>>,
    /// What another engine counts over the input; `None`: the check counts by itself.
    pub counted: Option<Vec<Window>>,
    /// What groups had committed, looked at again and again: by group and partition, in the order of the looks.
    pub places: BTreeMap<(String, i32), Vec<i64>>,
    /// Markers: one transaction each, a record in each partition.
    pub markers: Vec<Marker>,
}

/// An event in a topic, read with `read_committed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub partition: i32,
    pub offset: i64,
    pub event: Event,
}

/// A table as it is.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub shape: Shape,
    pub rows: Vec<Row>,
}

/// What a table has a row for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each event of the job's output.
    Id,
    /// Each key, with the newest event.
    Key,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    pub key: String,
    pub seq: i64,
}

/// A count of events of a key in a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub key: String,
    /// Milliseconds since 1970.
    pub start: i64,
    pub n: i64,
}

/// A transaction that wrote one record to each of some partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub id: String,
    pub outcome: crate::Outcome,
    /// Records that it wrote.
    pub written: usize,
    /// Records of it that a reader sees.
    pub seen: usize,
}
