//! How long to wait before trying again.

use serde::Deserialize;
use std::time::Duration;

/// A bounded, exponential back-off with full jitter.
///
/// The delay before attempt n is a random part of `min(cap, first * 2^(n-1))`, never less than `floor`: a server's
/// "retry after 0 s" must not make a loop, and many clients must not come back at the same instant.
/// Source: M. Brooker, "Exponential Backoff And Jitter" (2015), "full jitter".
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts_max: u32,
    #[serde(deserialize_with = "crate::span::parse")]
    pub first: Duration,
    #[serde(deserialize_with = "crate::span::parse")]
    pub cap: Duration,
}

/// No wait is shorter.
pub const FLOOR: Duration = Duration::from_millis(50);

impl Retry {
    pub const fn new(attempts_max: u32, first: Duration, cap: Duration) -> Self {
        Self { attempts_max, first, cap }
    }

    /// The wait after `failed` attempts, or `None` when that was the last one. `random` is in `[0, 1)`.
    pub fn delay(&self, failed: u32, random: f64) -> Option<Duration> {
        (failed < self.attempts_max).then(|| self.pause(failed, random))
    }

    /// The wait after `failed` attempts of something that is tried for ever.
    pub fn pause(&self, failed: u32, random: f64) -> Duration {
        let doubled = self.first.saturating_mul(1u32 << failed.saturating_sub(1).min(20));
        doubled.min(self.cap).mul_f64(random.clamp(0.0, 1.0)).max(FLOOR)
    }

    /// The wait after a server asked for one: at least what it asked, within `[FLOOR, cap]`.
    pub fn asked(&self, failed: u32, random: f64, retry_after: Duration) -> Option<Duration> {
        self.delay(failed, random).map(|own| own.max(retry_after.min(self.cap)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RETRY: Retry = Retry::new(4, Duration::from_millis(200), Duration::from_secs(5));

    #[test]
    fn the_last_attempt_is_not_followed_by_a_wait() {
        assert!(RETRY.delay(3, 0.5).is_some());
        assert_eq!(RETRY.delay(4, 0.5), None);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_zero_and_never_above_the_cap(failed in 0u32..4, random in 0.0f64..1.0, asked in 0u64..u64::MAX) {
            let wait = RETRY.asked(failed, random, Duration::from_secs(asked)).unwrap();
            prop_assert!(wait >= FLOOR && wait <= RETRY.cap);
        }
    }
}
