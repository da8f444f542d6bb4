//! What a slot's thread says about itself.

use serde::{Deserialize, Serialize};
use std::{
    ops::AddAssign,
    sync::{Mutex, PoisonError},
};

/// Shared by the thread and whoever tells PostgreSQL.
#[derive(Default)]
pub struct Progress(Mutex<Report>);

/// A slot's state at a moment.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub state: &'static str,
    /// Why it does not go on.
    pub reason: Option<String>,
    /// `None` until the places were read.
    pub counts: Option<Counts>,
    pub state_rows: usize,
    /// Milliseconds since 1970.
    pub watermark: Option<i64>,
}

/// Records since the job's first. They are committed beside the places, so a crash neither loses nor repeats one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    #[serde(rename = "in")]
    pub rows_in: u64,
    #[serde(rename = "out")]
    pub rows_out: u64,
    pub dead: u64,
    pub late: u64,
    pub filtered: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.rows_in += more.rows_in;
        self.rows_out += more.rows_out;
        self.dead += more.dead;
        self.late += more.late;
        self.filtered += more.filtered;
    }
}

impl Progress {
    pub fn set(&self, state: &'static str, reason: Option<String>) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report.state = state;
        report.reason = reason;
    }

    /// What is committed by now.
    pub fn committed(&self, counts: Counts, state_rows: usize, watermark: Option<i64>) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (report.counts, report.state_rows, report.watermark) = (Some(counts), state_rows, watermark);
    }

    pub fn report(&self) -> Report {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
