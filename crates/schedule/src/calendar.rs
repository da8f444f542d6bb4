//! The instants at which something fires.

use crate::{
    Schedule, ScheduleError,
    clock::{Clock, Gap, Shown},
    cron::Cron,
    every::{Elapsing, Every, Stepping},
    schedule::ONCE,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// What a fixed time means in the night when it comes twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    #[default]
    First,
    Last,
    Both,
}

/// The instants at which something fires: the union of all that its [`Schedule`] names, in one zone.
///
/// A fixed time in the gap of spring fires at the first valid instant, once. A fixed time in the overlap of autumn fires as
/// [`Overlap`] says. An hour that is "every" or "every n-th" fires at every real instant and at no unreal one; ranges and lists of
/// hours are fixed times, and so are dates and the steps of days, weeks, months and years. Steps of hours, minutes and seconds are
/// time that has passed: no clock moves them.
#[derive(Clone, Debug)]
pub struct Calendar {
    parts: Vec<Part>,
    clock: Clock,
    overlap: Overlap,
}

#[derive(Clone, Debug)]
enum Part {
    Cron(Box<Cron>),
    Stepping(Stepping),
    Elapsing(Elapsing),
    /// In order.
    Instants(Vec<DateTime<Utc>>),
}

impl Calendar {
    /// `start` is what intervals are counted from, and when `@once` fires. Without it, weeks are counted from a Monday and all else
    /// from the beginning of 1970, in the zone.
    pub fn new(
        schedule: &Schedule,
        zone: &str,
        overlap: Overlap,
        start: Option<DateTime<Utc>>,
    ) -> Result<Self, ScheduleError> {
        let clock = Clock(zone.parse().map_err(|_| ScheduleError::Zone { zone: zone.to_owned() })?);
        let mut calendar = Self { parts: vec![], clock, overlap };
        for expression in schedule.cron.iter().filter(|text| text.trim() != ONCE) {
            calendar.parts.push(Part::Cron(Box::new(Cron::parse(expression)?)));
        }
        if let Some(every) = &schedule.every {
            let part = calendar.interval(Every::parse(every)?, start);
            calendar.parts.push(part);
        }
        let once = if schedule.is_once() { start } else { None };
        let dates = schedule.dates.iter().map(|text| calendar.date(text)).collect::<Result<Vec<_>, _>>()?;
        let mut instants: Vec<_> = dates.into_iter().flatten().chain(once).collect();
        instants.sort_unstable();
        calendar.parts.push(Part::Instants(instants));
        Ok(calendar)
    }

    /// The first instant strictly after `after`.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = |part: &Part| match part {
            Part::Elapsing(steps) => steps.next(after),
            Part::Instants(all) => all.get(all.partition_point(|at| *at <= after)).copied(),
            wall => self.next_on_wall(wall, after),
        };
        self.parts.iter().filter_map(next).min()
    }

    /// The last instant strictly before `before`.
    pub fn previous(&self, before: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let previous = |part: &Part| match part {
            Part::Elapsing(steps) => steps.previous(before),
            Part::Instants(all) => all[..all.partition_point(|at| *at < before)].last().copied(),
            wall => self.previous_on_wall(wall, before),
        };
        self.parts.iter().filter_map(previous).max()
    }

    /// The last instant at or before `at` that is later than `floor`.
    pub fn latest(&self, floor: DateTime<Utc>, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.at_or_before(at).filter(|found| *found > floor)
    }

    /// The last instant at or before `at`.
    pub fn at_or_before(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.previous(at + TimeDelta::nanoseconds(1))
    }

    /// All instants in `(after, until]`, in order.
    pub fn between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        std::iter::successors(self.next(after), |last| self.next(*last))
            .take_while(move |next| *next <= until)
    }

    fn interval(&self, every: Every, start: Option<DateTime<Utc>>) -> Part {
        // The first Monday of 1970 is its fifth day.
        let day = if matches!(every, Every::Days(days) if days % 7 == 0) { 4 } else { 0 };
        let origin = DateTime::UNIX_EPOCH.naive_utc() + TimeDelta::days(day);
        let wall = start.map_or(origin, |start| self.clock.wall(start));
        match every {
            Every::Days(days) => Part::Stepping(Stepping { anchor: wall, days, months: 0 }),
            Every::Months(months) => Part::Stepping(Stepping { anchor: wall, days: 0, months }),
            Every::Seconds(seconds) => {
                let anchor = start.or_else(|| self.fixed(wall).next()).unwrap_or_else(|| wall.and_utc());
                Part::Elapsing(Elapsing { anchor, seconds })
            }
        }
    }

    /// The instants of a date.
    fn date(&self, text: &str) -> Result<Vec<DateTime<Utc>>, ScheduleError> {
        let whole = || DateTime::parse_from_rfc3339(text).ok();
        let short = || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%#z").ok();
        let instant = || whole().or_else(short).map(|at| vec![at.to_utc()]);
        let time = |shape| NaiveDateTime::parse_from_str(text, shape).ok();
        let midnight = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(chrono::NaiveTime::MIN));
        let wall = || time("%Y-%m-%dT%H:%M:%S").or_else(|| time("%Y-%m-%dT%H:%M")).or_else(midnight);
        instant()
            .or_else(|| wall().map(|wall| self.fixed(wall).collect()))
            .ok_or_else(|| ScheduleError::Date { date: text.to_owned() })
    }

    fn next_on_wall(&self, part: &Part, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ahead = self.first_from(part, self.clock.wall(after), after);
        // Times that the clock has shown come again: they are ahead too, though the wall clock has them behind.
        let again = self.clock.turns_soon(after);
        let again = again.and_then(|turn| self.first_from(part, turn.after - TimeDelta::seconds(1), after));
        ahead.into_iter().chain(again).min()
    }

    /// The first instant after `after` of a wall-clock time after `wall`.
    fn first_from(
        &self,
        part: &Part,
        mut wall: NaiveDateTime,
        after: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        loop {
            wall = part.next(wall)?;
            let shown = self.clock.shown(wall);
            if let Some(found) = self.instants(&shown, part.is_fixed()).find(|at| *at > after) {
                return Some(found);
            }
            if let Shown::Never(Some(Gap { end, .. })) = shown {
                wall = end - TimeDelta::seconds(1);
            }
        }
    }

    fn previous_on_wall(&self, part: &Part, before: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let behind = self.last_from(part, self.clock.wall(before), before);
        // Before the clock was turned back it had shown later times than now.
        let turned = self.clock.turned_lately(before);
        let earlier = turned.and_then(|turn| self.last_from(part, turn.before, before));
        behind.into_iter().chain(earlier).max()
    }

    /// The last instant before `before` of a wall-clock time before `wall`.
    fn last_from(
        &self,
        part: &Part,
        mut wall: NaiveDateTime,
        before: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        loop {
            wall = part.previous(wall)?;
            let shown = self.clock.shown(wall);
            if let Some(found) = self.instants(&shown, part.is_fixed()).filter(|at| *at < before).last() {
                return Some(found);
            }
            if let Shown::Never(Some(Gap { begin, .. })) = shown {
                wall = begin;
            }
        }
    }

    fn fixed(&self, wall: NaiveDateTime) -> impl Iterator<Item = DateTime<Utc>> {
        self.instants(&self.clock.shown(wall), true)
    }

    /// When a wall-clock time fires, in order.
    fn instants(&self, shown: &Shown, fixed: bool) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        let (one, other) = match shown {
            Shown::Once(at) => (Some(*at), None),
            Shown::Twice(first, last) => match (fixed, self.overlap) {
                (true, Overlap::First) => (Some(*first), None),
                (true, Overlap::Last) => (Some(*last), None),
                _ => (Some(*first), Some(*last)),
            },
            Shown::Never(Some(gap)) if fixed => (Some(gap.over_at), None),
            Shown::Never(_) => (None, None),
        };
        one.into_iter().chain(other)
    }
}

impl Part {
    fn next(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Part::Cron(cron) => cron.next(wall),
            Part::Stepping(steps) => steps.next(wall),
            Part::Elapsing(_) | Part::Instants(_) => None,
        }
    }

    fn previous(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Part::Cron(cron) => cron.previous(wall),
            Part::Stepping(steps) => steps.previous(wall),
            Part::Elapsing(_) | Part::Instants(_) => None,
        }
    }

    fn is_fixed(&self) -> bool {
        !matches!(self, Part::Cron(cron) if !cron.fixed)
    }
}
