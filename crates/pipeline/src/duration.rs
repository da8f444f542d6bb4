//! Defaults of durations, for `#[serde(default = …)]`.

use std::time::Duration;

pub(crate) fn zero() -> Duration {
    Duration::ZERO
}

pub(crate) fn seconds_5() -> Duration {
    Duration::from_secs(5)
}

pub(crate) fn seconds_10() -> Duration {
    Duration::from_secs(10)
}

pub(crate) fn seconds_30() -> Duration {
    Duration::from_secs(30)
}

pub(crate) fn minutes_10() -> Duration {
    Duration::from_secs(600)
}
