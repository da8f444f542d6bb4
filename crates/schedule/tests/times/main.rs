//! Calendars and timetables from outside: tables of cases, and properties around every turn of the clock.

#![allow(clippy::unwrap_used)]

mod catchup;
mod dst;
mod expressions;
mod forms;
mod missed;
mod properties;

use chrono::{DateTime, Utc};
use schedule::{Calendar, Overlap, Schedule};

/// `2024-03-01T10:00Z`, with or without seconds; or a day.
fn at(text: &str) -> DateTime<Utc> {
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        17 => text.replace('Z', ":00Z"),
        _ => text.to_owned(),
    };
    full.parse().unwrap_or_else(|cause| panic!("{text}: {cause}"))
}

fn cron(expression: &str, zone: &str, overlap: Overlap) -> Calendar {
    Calendar::new(&Schedule::of_cron(&[expression]), zone, overlap, None).unwrap()
}

/// The instants in `[from, until]`.
fn fired(calendar: &Calendar, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    calendar.between(from - chrono::TimeDelta::nanoseconds(1), until).collect()
}
