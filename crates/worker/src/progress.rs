//! What a slot's thread says about itself.

use std::sync::{Mutex, PoisonError};

/// Shared by the thread and whoever tells PostgreSQL.
#[derive(Default)]
pub struct Progress(Mutex<Report>);

/// A slot's state at a moment.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub state: &'static str,
    /// Why it does not go on.
    pub reason: Option<String>,
    pub counts: Counts,
    pub state_rows: usize,
    /// Milliseconds since 1970.
    pub watermark: Option<i64>,
}

/// Records since they were last told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    pub rows_in: u64,
    pub rows_out: u64,
    pub dead: u64,
    pub late: u64,
    pub filtered: u64,
}

impl Progress {
    pub fn set(&self, state: &'static str, reason: Option<String>) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report.state = state;
        report.reason = reason;
    }

    /// Counts what a transaction has committed.
    pub fn committed(&self, counts: Counts, state_rows: usize, watermark: Option<i64>) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report.counts.rows_in += counts.rows_in;
        report.counts.rows_out += counts.rows_out;
        report.counts.dead += counts.dead;
        report.counts.late += counts.late;
        report.counts.filtered += counts.filtered;
        (report.state_rows, report.watermark) = (state_rows, watermark);
    }

    pub fn report(&self) -> Report {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes off what was told.
    pub fn told(&self, told: &Counts) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report.counts.rows_in -= told.rows_in;
        report.counts.rows_out -= told.rows_out;
        report.counts.dead -= told.dead;
        report.counts.late -= told.late;
        report.counts.filtered -= told.filtered;
    }
}
