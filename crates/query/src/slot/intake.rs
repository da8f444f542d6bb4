//! What is decided about a row before the job's SQL sees it.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    },
    buffer::{Buffer, OffsetBuffer},
};

use super::SlotError;
use crate::{
    decode::InBatch,
    job::Plan,
    stage::{self, Rows, millis},
    watermark::{INSTANT_MAX_MS, INSTANT_MIN_MS},
};

/// What is known of a row before anything else is done with it.
pub(super) enum Fate {
    Dead(String),
    /// The stream has no event time.
    Timeless,
    /// Its event time in milliseconds.
    At(i64),
}

impl Plan {
    /// A row is late for a window that its own partition's watermark has closed; it has one window today, so that is all.
    pub(super) fn is_late(&self, instant: i64, reached: Option<i64>) -> bool {
        match (&self.windows, reached) {
            (Some(windows), Some(reached)) => {
                windows.of(instant).1.saturating_add(self.lateness_ms) <= reached
            }
            _ => false,
        }
    }

    /// The rule comes before the time: a row that it takes out does not advance the watermark, so that a rule can keep out
    /// times from the future.
    pub(super) fn fates(&self, rows: &RecordBatch) -> Result<Vec<Fate>, SlotError> {
        let mut fates = match self.input.event_time {
            Some(column) => {
                let instants = millis(rows.column(column))?;
                let name = rows.schema().field(column).name().clone();
                instants.iter().map(|t| fate_of(t, &name)).collect()
            }
            None => (0..rows.num_rows()).map(|_| Fate::Timeless).collect::<Vec<_>>(),
        };
        for (row, reason) in self.ruled_out(rows)? {
            fates[row as usize] = Fate::Dead(reason);
        }
        Ok(fates)
    }

    fn ruled_out(&self, rows: &RecordBatch) -> Result<Vec<(u32, String)>, SlotError> {
        let Some(rule) = &self.rule else { return Ok(Vec::new()) };
        let mut dead = Vec::new();
        let done = stage::run(&rule.steps, Rows::new(rows.clone()), &mut dead)?;
        if done.batch.num_rows() == 0 {
            return Ok(dead);
        }
        let (when, reasons) = (done.batch.column(0).as_boolean(), done.batch.column(1).as_string::<i32>());
        for (i, row) in done.origin.values().iter().enumerate() {
            if when.is_valid(i) && when.value(i) {
                let reason = if reasons.is_valid(i) { reasons.value(i) } else { &rule.text };
                dead.push((*row, reason.to_owned()));
            }
        }
        Ok(dead)
    }

    /// The rows with their place in Kafka beside them.
    pub(crate) fn with_pseudo_columns(&self, batch: &InBatch) -> Result<RecordBatch, SlotError> {
        let places = &batch.places;
        let times = TimestampMillisecondArray::from_iter_values(places.iter().map(|p| p.timestamp_ms));
        let pseudo: [ArrayRef; 5] = [
            repeated(&self.input.name, places.len())?,
            Arc::new(Int32Array::from_iter_values(places.iter().map(|p| p.partition))),
            Arc::new(Int64Array::from_iter_values(places.iter().map(|p| p.offset))),
            Arc::new(times.with_timezone("+00:00")),
            Arc::clone(&batch.keys),
        ];
        let columns = batch.rows.columns().iter().cloned().chain(pseudo).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.input.schema), columns)?)
    }
}

/// The same text for each row.
fn repeated(text: &str, rows: usize) -> Result<ArrayRef, SlotError> {
    let ends = OffsetBuffer::from_repeated_length(text.len(), rows);
    let bytes = Buffer::from_vec(text.as_bytes().repeat(rows));
    Ok(Arc::new(StringArray::try_new(ends, bytes, None)?))
}

fn fate_of(instant: Option<i64>, column: &str) -> Fate {
    match instant {
        None => Fate::Dead(format!("the event time {column} is null")),
        Some(t) if !(INSTANT_MIN_MS..=INSTANT_MAX_MS).contains(&t) => Fate::Dead(format!(
            "the event time {column} is outside of the years 1 to 9999: {t} ms after 1970"
        )),
        Some(t) => Fate::At(t),
    }
}
