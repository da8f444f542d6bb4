//! What a file may say, and when that is.

use super::{at, fired};
use schedule::{Calendar, Catchup, Overlap, RunImmediately, Schedule};
use serde_json::{Value, from_value, json};
use std::time::Duration;

/// The instants of a schedule from `from`, as many as are expected, and the same ones backward.
fn check(schedule: Value, zone: &str, start: Option<&str>, from: &str, expected: &[&str]) {
    let parsed: Schedule = from_value(schedule.clone()).unwrap();
    let calendar = Calendar::new(&parsed, zone, Overlap::First, start.map(at)).unwrap();
    let expected: Vec<_> = expected.iter().map(|text| at(text)).collect();
    let found = fired(&calendar, at(from), expected[expected.len() - 1]);
    assert_eq!(found, expected, "{schedule} in {zone} from {start:?}");
    for pair in expected.windows(2) {
        assert_eq!(calendar.previous(pair[1]), Some(pair[0]), "{schedule} in {zone} before {}", pair[1]);
    }
}

#[test]
fn a_schedule_is_a_cron_several_crons_or_a_table() {
    let half_past = ["2024-03-01T10:30Z", "2024-03-01T11:00Z", "2024-03-01T11:30Z"];
    for several in [
        json!(["0 * * * *", "30 * * * *"]),
        json!({"cron": ["@hourly", "30 * * * *"]}),
        json!("*/30 * * * *"),
    ] {
        check(several, "UTC", None, "2024-03-01T10:01Z", &half_past);
    }
    check(
        json!({"cron": "0 2 * * 1", "dates": ["2024-03-06T12:00", "2024-03-09"]}),
        "Europe/Zurich",
        None,
        "2024-03-04",
        &["2024-03-04T01:00Z", "2024-03-06T11:00Z", "2024-03-08T23:00Z", "2024-03-11T01:00Z"],
    );
}

#[test]
fn hours_and_minutes_are_time_that_has_passed_since_the_start() {
    let start = Some("2024-03-01T00:10Z");
    check(
        json!({"every": "90m"}),
        "UTC",
        start,
        "2024-03-01T00:10Z",
        &["2024-03-01T00:10Z", "2024-03-01T01:40Z", "2024-03-01T03:10Z"],
    );
    check(
        json!({"every": "1h 30m"}),
        "UTC",
        start,
        "2024-03-01T12:00Z",
        &["2024-03-01T12:10Z", "2024-03-01T13:40Z"],
    );
    // 24 hours are not a day in the night of the change.
    check(
        json!({"every": "24h"}),
        "Europe/Zurich",
        Some("2024-03-29T23:00Z"),
        "2024-03-30",
        &["2024-03-30T23:00Z", "2024-03-31T23:00Z"],
    );
    check(
        json!({"every": "1 day"}),
        "Europe/Zurich",
        Some("2024-03-29T23:00Z"),
        "2024-03-30",
        &["2024-03-30T23:00Z", "2024-03-31T22:00Z"],
    );
}

#[test]
fn days_weeks_months_and_years_follow_the_calendar_from_the_start() {
    check(
        json!({"every": "2 weeks"}),
        "UTC",
        Some("2024-02-20T06:00Z"),
        "2024-02-21",
        &["2024-03-05T06:00Z", "2024-03-19T06:00Z"],
    );
    check(
        json!({"every": "3 months"}),
        "UTC",
        Some("2023-11-15"),
        "2024-01-01",
        &["2024-02-15", "2024-05-15", "2024-08-15"],
    );
    check(
        json!({"every": "1 year"}),
        "UTC",
        Some("2024-02-29"),
        "2024-01-01",
        &["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"],
    );
    // Before the start, too: whether those run is not the calendar's question.
    check(
        json!({"every": "1 month"}),
        "UTC",
        Some("2024-03-31"),
        "2023-12-01",
        &["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31"],
    );
    // In the gap of spring, at its end.
    check(
        json!({"every": "1 day"}),
        "Europe/Zurich",
        Some("2024-03-29T01:30Z"),
        "2024-03-30",
        &["2024-03-30T01:30Z", "2024-03-31T01:00Z", "2024-04-01T00:30Z"],
    );
}

#[test]
fn day_31_is_the_end_of_every_month() {
    check(
        json!({"every": "1 month"}),
        "America/New_York",
        Some("2024-01-31T07:00:00Z"),
        "2024-02-01",
        &["2024-02-29T07:00Z", "2024-03-31T06:00Z", "2024-04-30T06:00Z", "2024-05-31T06:00Z"],
    );
}

#[test]
fn without_a_start_intervals_are_counted_from_1970_and_weeks_from_a_monday() {
    check(json!({"every": "1 week"}), "UTC", None, "2024-03-01", &["2024-03-04", "2024-03-11"]);
    check(
        json!({"every": "1 month"}),
        "Europe/Zurich",
        None,
        "2024-03-02",
        &["2024-03-31T22:00Z", "2024-04-30T22:00Z"],
    );
    check(json!({"every": "6h"}), "UTC", None, "2024-03-01", &["2024-03-01T00:00Z", "2024-03-01T06:00Z"]);
    check(
        json!({"every": "6h"}),
        "Europe/Zurich",
        None,
        "2024-01-01",
        &["2024-01-01T05:00Z", "2024-01-01T11:00Z"],
    );
}

#[test]
fn dates_are_in_the_zone_or_carry_an_offset() {
    check(
        json!({"dates": ["2024-12-31T18:00", "2024-12-24", "2024-03-31T02:30", "2024-07-01T12:00:30+05:30", "2024-07-02T00:00Z"]}),
        "Europe/Zurich",
        None,
        "2024-01-01",
        &[
            "2024-03-31T01:00Z",
            "2024-07-01T06:30:30Z",
            "2024-07-02T00:00Z",
            "2024-12-23T23:00Z",
            "2024-12-31T17:00Z",
        ],
    );
}

#[test]
fn once_is_the_start_and_nothing_else() {
    let once = Schedule::of_cron(&["@once"]);
    let start = at("2024-03-01T10:00Z");
    let calendar = Calendar::new(&once, "UTC", Overlap::First, Some(start)).unwrap();
    assert_eq!((calendar.next(at("2020-01-01")), calendar.next(start)), (Some(start), None));
    let never = Calendar::new(&once, "UTC", Overlap::First, None).unwrap();
    assert_eq!((never.next(start), never.previous(start), once.is_once()), (None, None, true));
}

#[test]
fn a_form_that_is_none_is_told() {
    for (schedule, told) in [
        (json!(5), "a cron expression, a list of them, or a table with `cron`, `every` or `dates`"),
        (json!([5]), "expected a string"),
        (json!({"evry": "1h"}), "unknown field `evry`"),
        (json!({"every": 90}), "expected a string"),
        (json!({"cron": 1}), "a cron expression, or a list of them"),
    ] {
        let cause = from_value::<Schedule>(schedule.clone()).unwrap_err().to_string();
        assert!(cause.contains(told), "{schedule}: {cause}");
    }
    for (policy, told) in [(json!("newest"), "unknown variant `newest`"), (json!({"max": 0}), "nonzero")] {
        let cause = from_value::<Catchup>(policy.clone()).unwrap_err().to_string();
        assert!(cause.contains(told), "{policy}: {cause}");
    }
}

#[test]
fn the_policies_are_words_numbers_and_durations() {
    let max: Catchup = from_value(json!({"max": 5})).unwrap();
    assert_eq!(max, Catchup::Max(5.try_into().unwrap()));
    for (spelled, expected) in [
        (json!(true), RunImmediately::Now),
        (json!(false), RunImmediately::No),
        (json!("10m"), RunImmediately::Within(Duration::from_secs(600))),
    ] {
        assert_eq!(from_value::<RunImmediately>(spelled).unwrap(), expected);
    }
}

#[test]
fn a_schedule_is_shown_as_a_person_would_say_it() {
    let whole: Schedule =
        from_value(json!({"cron": "0 2 * * *", "every": "90m", "dates": ["2024-12-24", "2024-12-31"]}))
            .unwrap();
    assert_eq!(whole.to_string(), "0 2 * * *, every 90m, on 2024-12-24, 2024-12-31");
    assert!(Schedule::default().is_empty() && Schedule::default().to_string().is_empty());
}
