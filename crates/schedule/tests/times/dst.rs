//! The two strange nights of the year: `cron_dst.json`, which says for each row whose choice it is.

use super::{at, cron, fired};
use chrono::TimeDelta;
use schedule::Overlap;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    cron: String,
    tz: String,
    expected_utc: Vec<String>,
    note: String,
}

/// The rows that come out otherwise by default, each with the setting that gives it and why that is not the default.
///
/// All of them are a fixed time in the night when it comes twice. Airflow and Dagster take the second of the two, croner (CR25)
/// the first. Ours is the first: it is the instant at which the wall clock shows that time for the first time, nothing that was to
/// be ready by then is an hour late, and it is what the operating system's cron does.
const OTHERWISE: [(&str, Overlap); 4] =
    [("CR04", Overlap::Last), ("CR09", Overlap::Last), ("CR12", Overlap::Last), ("CR16", Overlap::Last)];

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("cron_dst.json")).unwrap()
}

#[test]
fn every_row_fires_at_its_instants_under_the_setting_that_gives_it() {
    for case in cases().iter().filter(|case| case.id != "CR27") {
        let overlap = OTHERWISE.iter().find(|(id, _)| *id == case.id).map_or(Overlap::First, |(_, it)| *it);
        let expected: Vec<_> = case.expected_utc.iter().map(|text| at(text)).collect();
        let calendar = cron(&case.cron, &case.tz, overlap);
        let found = fired(&calendar, expected[0], expected[expected.len() - 1]);
        assert_eq!(found, expected, "{} {} {}: {}", case.id, case.cron, case.tz, case.note);
    }
}

#[test]
fn a_row_that_is_listed_as_otherwise_is_otherwise_by_default() {
    for (id, _) in OTHERWISE {
        let case = cases().into_iter().find(|case| case.id == id).unwrap();
        let expected: Vec<_> = case.expected_utc.iter().map(|text| at(text)).collect();
        let found =
            fired(&cron(&case.cron, &case.tz, Overlap::First), expected[0], *expected.last().unwrap());
        assert_ne!(found, expected, "{id} needs no setting: take it from the list");
    }
}

#[test]
fn every_minute_of_the_doubled_hour_fires_twice() {
    let row = cases().into_iter().find(|case| case.id == "CR27").unwrap();
    let start = at("2025-10-26T00:00Z");
    let found = fired(&cron(&row.cron, &row.tz, Overlap::First), start, start + TimeDelta::minutes(119));
    assert_eq!(found.len(), 120, "{}", row.expected_utc[0]);
}

#[test]
fn what_is_fixed_fires_once_and_what_is_stepped_at_every_real_instant() {
    // Zurich: 2023-03-26, 02:00 becomes 03:00 at 01:00Z; 2023-10-29, 03:00 becomes 02:00 at 01:00Z.
    let (spring, autumn) = ("2023-03-26", "2023-10-29");
    let cases = [
        ("30 2 * * *", Overlap::First, spring, "01:00"),
        ("30 2 * * *", Overlap::First, autumn, "00:30"),
        ("30 2 * * *", Overlap::Last, autumn, "01:30"),
        ("30 2 * * *", Overlap::Both, autumn, "00:30 01:30"),
        ("0,30 2 * * *", Overlap::First, spring, "01:00"),
        ("0,30 2 * * *", Overlap::Last, autumn, "01:00 01:30"),
        // A range and a list are fixed: 02:00 and 03:00 fall together in spring.
        ("0 1-3 * * *", Overlap::First, spring, "00:00 01:00"),
        ("0 1,2,3 * * *", Overlap::First, autumn, "2023-10-28T23:00 00:00 02:00"),
        ("0 1-3 * * *", Overlap::Last, autumn, "2023-10-28T23:00 01:00 02:00"),
        ("0 1-3/1 * * *", Overlap::Last, autumn, "2023-10-28T23:00 00:00 01:00 02:00"),
        ("30 */2 * * *", Overlap::First, spring, "2023-03-25T23:30 02:30 04:30"),
        ("30 */2 * * *", Overlap::First, autumn, "2023-10-28T22:30 00:30 01:30 03:30"),
    ];
    for (expression, overlap, day, expected) in cases {
        let whole =
            |word: &str| if word.len() > 5 { at(&format!("{word}Z")) } else { at(&format!("{day}T{word}Z")) };
        let expected: Vec<_> = expected.split(' ').map(whole).collect();
        let (from, until) = (at(day) - TimeDelta::hours(2), at(day) + TimeDelta::minutes(4 * 60 + 45));
        let found = fired(&cron(expression, "Europe/Zurich", overlap), from, until);
        assert_eq!(found, expected, "{expression} {overlap:?} on {day}");
    }
}

#[test]
fn a_day_that_was_left_out_fires_when_the_next_one_begins() {
    // Samoa crossed the date line: 2011-12-30 did not exist there.
    let found =
        fired(&cron("0 12 * * *", "Pacific/Apia", Overlap::First), at("2011-12-29"), at("2012-01-01"));
    assert_eq!(
        found,
        [at("2011-12-29T22:00Z"), at("2011-12-30T10:00Z"), at("2011-12-30T22:00Z"), at("2011-12-31T22:00Z")]
    );
}

#[test]
fn every_second_has_the_one_before_it_also_across_a_gap() {
    let calendar = cron("* * * * * *", "Europe/Zurich", Overlap::First);
    for turn in ["2023-03-26T01:00Z", "2023-10-29T00:00Z", "2023-10-29T01:00Z"] {
        let around = fired(&calendar, at(turn) - TimeDelta::seconds(3), at(turn) + TimeDelta::seconds(3));
        assert_eq!(around.len(), 7, "{turn}");
        for pair in around.windows(2) {
            assert_eq!(calendar.previous(pair[1]), Some(pair[0]), "before {}", pair[1]);
        }
    }
}
