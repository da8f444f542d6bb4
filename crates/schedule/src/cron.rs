//! One cron expression, on the wall clock.

use crate::ScheduleError;
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use croner::{
    CronPattern, Weekday,
    errors::CronError,
    parser::{CronParser, Seconds},
};

/// A cron expression of five or six fields, or a nickname such as `@daily`. Knows wall-clock time only.
///
/// croner reads it and judges its days. Seconds, minutes and hours are kept as bits of their own: walking them field by field, as
/// croner does, costs fifty times as much, and a calendar asks for every step that it takes.
#[derive(Clone, Debug)]
pub(crate) struct Cron {
    pattern: CronPattern,
    seconds: u64,
    minutes: u64,
    hours: u64,
    /// Whether the hours are named (`2`, `7-8`, `1,3`) and not "every" or "every n-th".
    pub fixed: bool,
}

/// A leap day that must be a certain weekday may be 40 years away; what is further is taken for never.
const YEARS_MAX: i32 = 200;

impl Cron {
    pub fn parse(expression: &str) -> Result<Self, ScheduleError> {
        let spelled = nickname(expression.trim());
        let wrong = |cause: CronError| ScheduleError::Cron {
            expression: expression.to_owned(),
            cause: cause.to_string().trim_end_matches('.').to_owned(),
        };
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let pattern = parser.parse(spelled).map_err(wrong)?.pattern;
        let bits = |values: Vec<u16>| values.into_iter().fold(0, |bits, value| bits | 1 << value);
        let cron = Self {
            seconds: bits(pattern.seconds.values()),
            minutes: bits(pattern.minutes.values()),
            hours: bits(pattern.hours.values()),
            fixed: has_fixed_hours(spelled),
            pattern,
        };
        let comes = cron.next(chrono::DateTime::UNIX_EPOCH.naive_utc()).is_some();
        comes.then_some(cron).ok_or_else(|| ScheduleError::Never { expression: expression.to_owned() })
    }

    /// The first matching wall-clock time after `after`.
    pub fn next(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let today = self.is_due_on(after.date()).then(|| self.time_after(after.time())).flatten();
        match today {
            Some(time) => Some(after.date().and_time(time)),
            None => Some(self.day(after.date().succ_opt()?, Direction::On)?.and_time(self.first()?)),
        }
    }

    /// The last matching wall-clock time before `before`.
    pub fn previous(&self, before: NaiveDateTime) -> Option<NaiveDateTime> {
        let today = self.is_due_on(before.date()).then(|| self.time_before(before.time())).flatten();
        match today {
            Some(time) => Some(before.date().and_time(time)),
            None => Some(self.day(before.date().pred_opt()?, Direction::Back)?.and_time(self.last()?)),
        }
    }

    fn time_after(&self, time: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute) = (time.hour(), time.minute());
        let here = has(self.hours, hour);
        if here
            && has(self.minutes, minute)
            && let Some(second) = lowest(self.seconds, time.second() + 1)
        {
            return NaiveTime::from_hms_opt(hour, minute, second);
        }
        let first = lowest(self.seconds, 0)?;
        if here && let Some(minute) = lowest(self.minutes, minute + 1) {
            return NaiveTime::from_hms_opt(hour, minute, first);
        }
        NaiveTime::from_hms_opt(lowest(self.hours, hour + 1)?, lowest(self.minutes, 0)?, first)
    }

    fn time_before(&self, time: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute) = (time.hour(), time.minute());
        // Within a second, that second itself is before.
        let second = time.second() + u32::from(time.nanosecond() > 0);
        let here = has(self.hours, hour);
        if here
            && has(self.minutes, minute)
            && let Some(second) = highest(self.seconds, second)
        {
            return NaiveTime::from_hms_opt(hour, minute, second);
        }
        let last = highest(self.seconds, 60)?;
        if here && let Some(minute) = highest(self.minutes, minute) {
            return NaiveTime::from_hms_opt(hour, minute, last);
        }
        NaiveTime::from_hms_opt(highest(self.hours, hour)?, highest(self.minutes, 60)?, last)
    }

    fn first(&self) -> Option<NaiveTime> {
        NaiveTime::from_hms_opt(lowest(self.hours, 0)?, lowest(self.minutes, 0)?, lowest(self.seconds, 0)?)
    }

    fn last(&self) -> Option<NaiveTime> {
        NaiveTime::from_hms_opt(
            highest(self.hours, 24)?,
            highest(self.minutes, 60)?,
            highest(self.seconds, 60)?,
        )
    }

    /// The nearest matching day from `date` in a direction, `date` included.
    fn day(&self, date: NaiveDate, direction: Direction) -> Option<NaiveDate> {
        let (mut date, year) = (date, date.year());
        while (date.year() - year).abs() <= YEARS_MAX {
            if self.is_due_on(date) {
                return Some(date);
            }
            date = match (direction, self.is_due_in_month_of(date)) {
                (Direction::On, true) => date.succ_opt()?,
                (Direction::Back, true) => date.pred_opt()?,
                (Direction::On, false) => date.with_day(1)?.checked_add_months(chrono::Months::new(1))?,
                (Direction::Back, false) => date.with_day(1)?.pred_opt()?,
            };
        }
        None
    }

    fn is_due_on(&self, date: NaiveDate) -> bool {
        let (year, month, day) = (date.year(), date.month(), date.day());
        let weekday = Weekday::from_days_from_sunday(date.weekday().num_days_from_sunday());
        // An error is about a date that is out of range: it never comes.
        self.is_due_in_month_of(date) && self.pattern.day_match(year, month, day, weekday).unwrap_or(false)
    }

    fn is_due_in_month_of(&self, date: NaiveDate) -> bool {
        self.pattern.year_match(date.year()).unwrap_or(false)
            && self.pattern.month_match(date.month()).unwrap_or(false)
    }
}

#[derive(Clone, Copy)]
enum Direction {
    On,
    Back,
}

fn has(bits: u64, value: u32) -> bool {
    bits >> value & 1 == 1
}

/// The lowest value that is set, at least `from`.
fn lowest(bits: u64, from: u32) -> Option<u32> {
    let left = bits >> from;
    (left != 0).then(|| from + left.trailing_zeros())
}

/// The highest value that is set, below `below`.
fn highest(bits: u64, below: u32) -> Option<u32> {
    let left = bits & ((1 << below) - 1);
    (left != 0).then(|| 63 - left.leading_zeros())
}

fn nickname(expression: &str) -> &str {
    match expression {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => other,
    }
}

fn has_fixed_hours(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    // With six fields the first one is the second.
    let hours = fields.get(if fields.len() > 5 { 2 } else { 1 }).copied().unwrap_or("*");
    !hours.contains(['*', '/', '?'])
}
