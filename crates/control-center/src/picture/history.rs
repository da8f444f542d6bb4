//! The last values of one thing, one per survey.

use std::time::Duration;

/// Values that are kept: two minutes of surveys.
pub const HISTORY: usize = 60;

/// The last [`HISTORY`] values, the newest last; `None` where nothing was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct History(Vec<Option<f64>>);

/// Surveys that are further apart are shown with a gap between them.
pub const GAP: Duration = Duration::from_secs(8);

impl Default for History {
    fn default() -> Self {
        Self(vec![None; HISTORY])
    }
}

impl History {
    /// The history with one more value, and without the oldest.
    pub fn and(&self, value: Option<f64>) -> Self {
        Self(self.0.iter().skip(1).copied().chain([value]).collect())
    }

    pub fn values(&self) -> &[Option<f64>] {
        &self.0
    }

    /// The value before the last `back` ones.
    pub fn from_end(&self, back: usize) -> Option<f64> {
        self.0.iter().rev().nth(back).copied().flatten()
    }

    /// The last `count` values, where all of them were measured.
    pub fn last(&self, count: usize) -> Option<Vec<f64>> {
        self.0[HISTORY.saturating_sub(count)..].iter().copied().collect()
    }
}
