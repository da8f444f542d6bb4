//! What one transaction has to hold.

use std::sync::Arc;

/// A record on its way to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutRow {
    pub key: Option<Vec<u8>>,
    /// The Avro body, without the five bytes of the header.
    pub payload: Vec<u8>,
    /// Partition and offset of the record that it comes from, where it is one: its headers may be copied.
    pub source: Option<(i32, i64)>,
}

/// A row that cannot be worked on, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadRow {
    pub input: Arc<str>,
    pub partition: i32,
    /// `None` for the row of a window, which no single record stands behind: then `row` shows it.
    pub offset: Option<i64>,
    pub reason: String,
    /// JSON text.
    pub row: Option<String>,
}

/// Everything since the last flush, to be made durable in one transaction.
///
/// Every row is counted once: `rows_in` = `taken` + `filtered` + late rows + dead rows that have an offset.
#[derive(Debug, Default)]
pub struct Commit {
    pub outputs: Vec<OutRow>,
    pub dead: Vec<DeadRow>,
    /// Partition and offset of rows whose windows were closed.
    pub late: Vec<(i32, i64)>,
    /// Input partition, key, and value; `None` deletes.
    pub changelog: Vec<(i32, Vec<u8>, Option<Vec<u8>>)>,
    /// Input, partition, watermark in milliseconds: to be given to `add_partition` at a restore.
    pub watermarks: Vec<(String, i32, i64)>,
    /// Rows that became an output or went into the state.
    pub taken: u64,
    /// Rows that a WHERE left out.
    pub filtered: u64,
    pub rows_in: u64,
}
