//! Intervals: so much time, or so much calendar.

use crate::ScheduleError;
use chrono::{DateTime, Datelike, Months, NaiveDateTime, TimeDelta, Utc};

/// An interval as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Every {
    Seconds(i64),
    Days(i64),
    Months(i64),
}

/// A slip of the keyboard, and no sum leaves 64 bits.
const NUMBER_MAX: i64 = 1_000_000;

impl Every {
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let wrong = |cause| ScheduleError::Every { every: text.to_owned(), cause };
        let mut found: Option<Self> = None;
        let mut rest = text.trim();
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let after = after.trim_start();
            let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let (unit, after) = after.split_at(letters);
            rest = after.trim_start();
            let number: i64 = number.parse().map_err(|_| wrong("a number must come first"))?;
            if !(1..=NUMBER_MAX).contains(&number) {
                return Err(wrong("the number must be from 1 to 1000000"));
            }
            let part = Self::of(number, unit).ok_or_else(|| wrong("the unit is not known"))?;
            found = Some(match (found, part) {
                (None, part) => part,
                (Some(Self::Seconds(sum)), Self::Seconds(more)) => Self::Seconds(sum + more),
                _ => return Err(wrong("only hours, minutes and seconds can be added up")),
            });
        }
        found.ok_or_else(|| wrong("it is empty"))
    }

    fn of(number: i64, unit: &str) -> Option<Self> {
        Some(match unit {
            "s" | "sec" | "second" | "seconds" => Self::Seconds(number),
            "m" | "min" | "minute" | "minutes" => Self::Seconds(number * 60),
            "h" | "hour" | "hours" => Self::Seconds(number * 3600),
            "d" | "day" | "days" => Self::Days(number),
            "w" | "week" | "weeks" => Self::Days(number * 7),
            "month" | "months" => Self::Months(number),
            "y" | "year" | "years" => Self::Months(number * 12),
            _ => return None,
        })
    }
}

/// Steps of so much time, in both directions from an instant.
#[derive(Clone, Debug)]
pub(crate) struct Elapsing {
    pub anchor: DateTime<Utc>,
    pub seconds: i64,
}

impl Elapsing {
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.at((after.timestamp() - self.anchor.timestamp()).div_euclid(self.seconds) + 1)
    }

    pub fn previous(&self, before: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Within a second, that second itself is before.
        let last = before.timestamp() - i64::from(before.timestamp_subsec_nanos() == 0);
        self.at((last - self.anchor.timestamp()).div_euclid(self.seconds))
    }

    fn at(&self, step: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.anchor.timestamp() + step * self.seconds, 0)
    }
}

/// Steps of days or months on the wall clock, in both directions from a time. Each is counted from the anchor, so that day 31 is
/// the end of every month, and not the 28th for ever after February.
#[derive(Clone, Debug)]
pub(crate) struct Stepping {
    pub anchor: NaiveDateTime,
    pub days: i64,
    pub months: i64,
}

impl Stepping {
    pub fn next(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let near = self.step_near(after);
        (near - 1..=near + 1).filter_map(|step| self.at(step)).find(|at| *at > after)
    }

    pub fn previous(&self, before: NaiveDateTime) -> Option<NaiveDateTime> {
        let near = self.step_near(before);
        (near - 1..=near + 1).rev().filter_map(|step| self.at(step)).find(|at| *at < before)
    }

    /// The step of the day or month in which `wall` lies: at most one off.
    fn step_near(&self, wall: NaiveDateTime) -> i64 {
        let month = |at: NaiveDateTime| i64::from(at.year()) * 12 + i64::from(at.month0());
        match self.months {
            0 => (wall.date() - self.anchor.date()).num_days().div_euclid(self.days),
            months => (month(wall) - month(self.anchor)).div_euclid(months),
        }
    }

    fn at(&self, step: i64) -> Option<NaiveDateTime> {
        let months = step.checked_mul(self.months)?;
        let size = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        let moved = if months < 0 {
            self.anchor.checked_sub_months(size)?
        } else {
            self.anchor.checked_add_months(size)?
        };
        moved.checked_add_signed(TimeDelta::try_days(step.checked_mul(self.days)?)?)
    }
}
