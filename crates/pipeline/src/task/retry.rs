//! When a failed task is tried again.

use model::Retry;
use serde::Deserialize;
use std::time::Duration;

/// How a failed task is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Tries after the first one.
    pub retries: u32,
    pub delay: Duration,
    /// The cap of a delay that doubles.
    pub delay_max: Duration,
    pub backoff: Backoff,
    /// The part of a delay, from 0 to 1, that is left to chance, so that what failed together does not come back together.
    pub jitter: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Doubled for each further retry.
    #[default]
    Exponential,
    Constant,
}

impl RetryPolicy {
    /// The wait after `tries` failed ones, or nothing when that was the last one. `random` is in `[0, 1)`.
    pub fn wait(&self, tries: u32, random: f64) -> Option<Duration> {
        let cap = match self.backoff {
            Backoff::Constant => self.delay,
            Backoff::Exponential => self.delay_max,
        };
        let sure = 1.0 - self.jitter.clamp(0.0, 1.0) * random.clamp(0.0, 1.0);
        Retry::new(self.retries.saturating_add(1), self.delay, cap).delay(tries, sure)
    }
}
