//! Which runs are due now, and when to look again.

use crate::{Calendar, Catchup, OnUnpause, RunImmediately};
use chrono::{DateTime, TimeDelta, Utc};
use std::{iter::successors, time::Duration};

/// A calendar and what is made of its instants.
#[derive(Clone, Debug)]
pub struct Timetable {
    pub calendar: Calendar,
    /// Nothing runs before; an instant equal to it counts. Where absent: the moment of the first publication.
    pub start: Option<DateTime<Utc>>,
    /// Whether a run is for the time from one instant to the next: its logical time is the first, and it fires at the second.
    /// Otherwise it is for an instant, and fires there.
    pub interval: bool,
    pub catchup: Catchup,
    pub on_unpause: Option<OnUnpause>,
    /// A run that is looked at so long after it should have fired is not started.
    pub stale_after: Option<Duration>,
    pub run_immediately: RunImmediately,
}

/// What has happened to a DAG.
#[derive(Clone, Copy, Debug)]
pub struct History {
    /// When it was first published.
    pub first_at: DateTime<Utc>,
    /// From where to where its newest scheduled run is; an instant begins and ends with itself.
    pub last: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When a pause ended for the last time.
    pub unpaused_at: Option<DateTime<Utc>>,
}

/// A run that is made, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    pub logical_at: DateTime<Utc>,
    /// From, and to before; `None` for a run that is for an instant.
    pub interval: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub fires_at: DateTime<Utc>,
    /// It is too late for it: it is told, and not started.
    pub stale: bool,
}

/// The answer of [`Timetable::due`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Runs to make now, oldest first.
    pub runs: Vec<Planned>,
    /// The run after those; never, where `None`. It is time to ask again when it fires.
    pub next: Option<Planned>,
}

/// At most so many missed times become runs at once; the rest follow at the next look, which is due at once.
pub const RUNS_MAX: usize = 100;

/// With `catchup = "none"`, a time is missed when nobody looked for so long after it.
const ON_TIME: TimeDelta = TimeDelta::seconds(30);

impl Timetable {
    /// Finds what is due at `now`.
    pub fn due(&self, history: &History, now: DateTime<Utc>) -> Due {
        let mut floor = self.floor(history);
        let mut times: Vec<DateTime<Utc>> = self.just_passed(history).into_iter().collect();
        if let (Some(policy), Some(unpaused_at)) = (self.on_unpause, history.unpaused_at) {
            let paused_until = self.over_at(unpaused_at).map_or(floor, |until| until.max(floor));
            if policy == OnUnpause::Latest {
                times.extend(self.calendar.latest(floor, paused_until));
            }
            floor = paused_until;
        }
        let until = self.over_at(now).map_or(floor, |until| until.max(floor));
        let missed = self.missed(floor, until, now);
        let seen = if missed.len() < RUNS_MAX { Some(until) } else { missed.last().copied() };
        times.extend(missed);
        times.sort_unstable();
        times.dedup();
        let mut runs: Vec<Planned> = times.iter().filter_map(|at| self.planned(*at, now)).collect();
        if runs.is_empty() && self.is_fresh(history) && self.run_immediately == RunImmediately::Now {
            runs.push(self.newest(history.first_at));
        }
        let next = seen.and_then(|seen| self.calendar.next(seen)).and_then(|at| self.planned(at, now));
        Due { runs, next }
    }

    /// The run for a logical time; `None` where its interval never ends.
    pub fn planned(&self, logical_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Planned> {
        let end = if self.interval { self.calendar.next(logical_at)? } else { logical_at };
        let age = now.signed_duration_since(end).to_std().unwrap_or_default();
        let stale = self.stale_after.is_some_and(|most| age > most);
        Some(Planned {
            logical_at,
            interval: self.interval.then_some((logical_at, end)),
            fires_at: end,
            stale,
        })
    }

    /// The last interval that was over at `at`: what a run by hand is for. `None` where runs are for instants.
    pub fn interval_before(&self, at: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let end = self.calendar.at_or_before(at).filter(|_| self.interval)?;
        Some((self.calendar.previous(end)?, end))
    }

    /// Only later logical times are run.
    fn floor(&self, history: &History) -> DateTime<Utc> {
        let before = |at: DateTime<Utc>| at - TimeDelta::milliseconds(1);
        let from_start = before(self.start.unwrap_or(history.first_at));
        let Some((last, end)) = history.last else { return from_start };
        // Where the schedule was another one, the newest run may be for more than an interval of now.
        let covered = if self.interval { self.calendar.at_or_before(end) } else { None };
        covered.map_or(last, |end| last.max(before(end))).max(from_start)
    }

    /// The last logical time whose run may have fired by `at`, or a later time that is none.
    fn over_at(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.interval { self.interval_before(at).map(|(start, _)| start) } else { Some(at) }
    }

    /// The logical times in `(floor, until]` that are run by now.
    fn missed(&self, floor: DateTime<Utc>, until: DateTime<Utc>, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let latest = self.calendar.latest(floor, until);
        let on_time =
            |at: &DateTime<Utc>| self.planned(*at, now).is_some_and(|run| now - run.fires_at < ON_TIME);
        match self.catchup {
            Catchup::None => latest.filter(on_time).into_iter().collect(),
            Catchup::Latest => latest.into_iter().collect(),
            Catchup::All => self.calendar.between(floor, until).take(RUNS_MAX).collect(),
            Catchup::Max(most) => {
                let earlier = |at: &DateTime<Utc>| self.calendar.previous(*at).filter(|at| *at > floor);
                let newest: Vec<_> = successors(latest, earlier).take(most.get().into()).collect();
                newest.into_iter().rev().take(RUNS_MAX).collect()
            }
        }
    }

    /// Whether `run_immediately` counts.
    fn is_fresh(&self, history: &History) -> bool {
        history.last.is_none() && self.start.is_none()
    }

    /// The logical time that `run_immediately = "10m"` finds.
    fn just_passed(&self, history: &History) -> Option<DateTime<Utc>> {
        let RunImmediately::Within(span) = self.run_immediately else { return None };
        if !self.is_fresh(history) {
            return None;
        }
        let fired_after = history.first_at.checked_sub_signed(TimeDelta::from_std(span).ok()?)?;
        let fired_at = self.calendar.latest(fired_after, history.first_at)?;
        if self.interval { self.calendar.previous(fired_at) } else { Some(fired_at) }
    }

    /// The run that `run_immediately = true` finds, however long ago it was due. Where nothing has been due yet, it is for `at`.
    fn newest(&self, at: DateTime<Utc>) -> Planned {
        let interval = self.interval_before(at);
        let (logical_at, fires_at) = interval.unwrap_or_else(|| {
            let instant = self.calendar.at_or_before(at).unwrap_or(at);
            (instant, instant)
        });
        Planned { logical_at, interval, fires_at, stale: false }
    }
}
