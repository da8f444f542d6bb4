//! Which runs are due now, and when to look again.

use crate::Calendar;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What happens to times that passed while nobody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Catchup {
    /// They are not run.
    None,
    /// The latest of them is run. Airflow's `catchup=False`.
    #[default]
    Latest,
    /// Each of them is run, oldest first.
    All,
}

/// The answer of [`due`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Logical times to make runs of now, oldest first.
    pub runs: Vec<DateTime<Utc>>,
    /// When to ask again; never, where `None`.
    pub next: Option<DateTime<Utc>>,
}

/// At most so many runs are made at once; the rest follow at the next look, which is due at once.
pub const RUNS_MAX: usize = 100;

/// Finds what is due at `now`.
///
/// `last` is the logical time of the newest scheduled run, `start` the instant before which nothing runs: where there is no
/// `last`, times from `start` on are looked at (an instant equal to `start` counts).
pub fn due(
    calendar: &Calendar,
    catchup: Catchup,
    start: DateTime<Utc>,
    last: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Due {
    let before_start = start - chrono::Duration::milliseconds(1);
    let floor = last.map_or(before_start, |last| last.max(before_start));
    let mut runs: Vec<_> = match catchup {
        Catchup::All => calendar.between(floor, now).take(RUNS_MAX).collect(),
        Catchup::Latest => calendar.latest(floor, now).into_iter().collect(),
        Catchup::None => vec![],
    };
    if catchup == Catchup::None {
        runs.extend(calendar.latest(floor, now).filter(|due| now - *due < ON_TIME));
    }
    let seen = runs.last().copied().unwrap_or(floor);
    let next = match catchup {
        Catchup::All => calendar.next(seen),
        _ => calendar.next(seen.max(now)),
    };
    Due { runs, next }
}

/// With `catchup = "none"`, a time is missed when nobody looked for so long after it.
const ON_TIME: chrono::Duration = chrono::Duration::seconds(30);

#[cfg(test)]
mod tests;
