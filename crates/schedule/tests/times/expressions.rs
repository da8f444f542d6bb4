//! Cron expressions, read and told.

use super::{at, cron};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use schedule::{Calendar, Overlap, Schedule, ScheduleError};

#[test]
fn fields_nicknames_and_special_days_are_understood() {
    let cases = [
        ("@hourly", "2024-03-01T10:00:00Z", "2024-03-01T11:00:00Z"),
        ("@daily", "2024-03-01T10:00:00Z", "2024-03-02T00:00:00Z"),
        ("@midnight", "2024-03-01T10:00:00Z", "2024-03-02T00:00:00Z"),
        ("@weekly", "2024-03-01T10:00:00Z", "2024-03-03T00:00:00Z"),
        ("@monthly", "2024-03-01T10:00:00Z", "2024-04-01T00:00:00Z"),
        ("@yearly", "2024-03-01T10:00:00Z", "2025-01-01T00:00:00Z"),
        ("@annually", "2024-03-01T10:00:00Z", "2025-01-01T00:00:00Z"),
        // With six fields the first one is the second.
        ("*/15 * * * * *", "2024-03-01T10:00:16Z", "2024-03-01T10:00:30Z"),
        ("59 59 23 31 12 *", "2024-03-01T10:00:00Z", "2024-12-31T23:59:59Z"),
        // A day of the month or a weekday; the last day; the weekday nearest to the 1st; the second Friday.
        ("0 0 13 * 5", "2024-09-07T00:00:00Z", "2024-09-13T00:00:00Z"),
        ("0 0 13 * 5", "2024-09-13T00:00:00Z", "2024-09-20T00:00:00Z"),
        ("0 0 L * *", "2024-02-01T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("0 0 1W * *", "2024-05-31T00:00:00Z", "2024-06-03T00:00:00Z"),
        ("0 0 * * 5#2", "2024-03-01T10:00:00Z", "2024-03-08T00:00:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("0 9-17/4 * JAN,JUL MON-FRI", "2024-01-31T17:30:00Z", "2024-07-01T09:00:00Z"),
    ];
    for (expression, after, next) in cases {
        let calendar = cron(expression, "UTC", Overlap::First);
        assert_eq!(calendar.next(at(after)), Some(at(next)), "{expression} after {after}");
        assert!(
            calendar.previous(at(next)).is_some_and(|earlier| earlier <= at(after)),
            "{expression} before {next}"
        );
    }
}

#[test]
fn what_is_no_schedule_is_told_with_what_to_write() {
    let say = |schedule: Schedule, zone| {
        Calendar::new(&schedule, zone, Overlap::First, None).unwrap_err().to_string()
    };
    let cases = [
        ("* * * *", "UTC", "\"* * * *\" is not a cron expression:"),
        ("61 * * * *", "UTC", "\"61 * * * *\" is not a cron expression:"),
        ("@dayly", "UTC", "\"@dayly\" is not a cron expression:"),
        ("0 0 30 2 *", "UTC", "\"0 0 30 2 *\" names a date that never comes"),
        ("0 2 * * *", "Europe/Zürich", "\"Europe/Zürich\" is not a time zone"),
    ];
    for (expression, zone, begin) in cases {
        let told = say(Schedule::of_cron(&[expression]), zone);
        assert!(told.starts_with(begin), "{told}");
    }
    let every = |every: &str| say(Schedule { every: Some(every.into()), ..Schedule::default() }, "UTC");
    for (text, cause) in [
        ("", "it is empty"),
        ("week", "a number must come first"),
        ("0m", "the number must be from 1 to 1000000"),
        ("5 fortnights", "the unit is not known"),
        ("1 month 2 days", "only hours, minutes and seconds can be added up"),
    ] {
        assert!(
            every(text).contains(&format!("every = \"{text}\" is not an interval: {cause}")),
            "{}",
            every(text)
        );
    }
    let date = Schedule { dates: vec!["2026-02-30".into()], ..Schedule::default() };
    assert!(say(date, "UTC").starts_with("\"2026-02-30\" is not a date: write "));
}

proptest! {
    #[test]
    fn any_text_is_an_expression_whose_times_go_on_or_is_told(
        noise in "\\PC{0,30}",
        fields in prop::collection::vec("[0-9*/,LW#?-]{1,5}", 4..7),
    ) {
        for text in [noise, fields.join(" ")] {
            match Calendar::new(&Schedule::of_cron(&[&text]), "UTC", Overlap::First, None) {
                Ok(calendar) => {
                    let first = calendar.next(DateTime::<Utc>::UNIX_EPOCH);
                    let once = text.trim() == "@once";
                    prop_assert!(once || first.is_some_and(|first| first > DateTime::<Utc>::UNIX_EPOCH), "{}", text);
                }
                Err(ScheduleError::Cron { expression, .. } | ScheduleError::Never { expression }) => {
                    prop_assert_eq!(expression, text);
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}
