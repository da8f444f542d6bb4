use super::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    cron: String,
    tz: String,
    expected_utc: Vec<String>,
    note: String,
}

fn instant(text: &str) -> DateTime<Utc> {
    let full = if text.len() == 17 { text.replace('Z', ":00Z") } else { text.to_owned() };
    DateTime::parse_from_rfc3339(&full).unwrap().to_utc()
}

fn calendar(cron: &str, zone: &str, overlap: Overlap) -> Calendar {
    Calendar::new(&[cron.to_owned()], zone, overlap).unwrap()
}

/// Airflow and Dagster take the second of two equal wall-clock times; ours is the first unless `dst_overlap` says otherwise.
const SECOND_OF_TWO: [&str; 4] = ["CR04", "CR09", "CR12", "CR16"];

#[test]
fn every_case_of_the_table_fires_at_its_instants() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../testdata/cron_dst.json")).unwrap();
    for case in cases.iter().filter(|case| case.id != "CR27") {
        let overlap = if SECOND_OF_TWO.contains(&case.id.as_str()) { Overlap::Last } else { Overlap::First };
        let expected: Vec<_> = case.expected_utc.iter().map(|text| instant(text)).collect();
        let calendar = calendar(&case.cron, &case.tz, overlap);
        let fired: Vec<_> =
            calendar.between(expected[0] - Duration::seconds(1), expected[expected.len() - 1]).collect();
        assert_eq!(fired, expected, "{} {} {}: {}", case.id, case.cron, case.tz, case.note);
    }
}

#[test]
fn every_minute_fires_120_times_in_the_doubled_hour() {
    let calendar = calendar("* * * * *", "Europe/Stockholm", Overlap::First);
    let start = instant("2025-10-26T00:00Z");
    assert_eq!(calendar.between(start - Duration::seconds(1), start + Duration::minutes(119)).count(), 120);
}

#[test]
fn next_is_always_later_and_never_skips_around_every_transition_of_a_year() {
    let zones = [
        "Europe/Zurich",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Kolkata",
        "UTC",
    ];
    for zone in zones {
        for cron in ["30 2 * * *", "*/20 * * * *", "0 1-3 * * *", "15 0 1 * *"] {
            let calendar = calendar(cron, zone, Overlap::Both);
            let (mut at, end) = (instant("2025-01-01T00:00Z"), instant("2026-01-01T00:00Z"));
            let mut fired = vec![];
            while at < end {
                let next = calendar.next(at).unwrap();
                assert!(next > at, "{cron} {zone} {at}");
                // The next instant seen from just before it is the same one: no path through time skips it.
                assert_eq!(calendar.next(next - Duration::milliseconds(1)), Some(next), "{cron} {zone} {at}");
                fired.push(next);
                at = next;
            }
            assert_eq!(
                calendar.latest(instant("2025-01-01T00:00Z"), end),
                fired.iter().rev().find(|t| **t <= end).copied()
            );
        }
    }
}
