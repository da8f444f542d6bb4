use super::*;
use crate::Overlap;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(&text.replace('Z', ":00Z")).unwrap().to_utc()
}

struct Case {
    name: &'static str,
    crons: &'static [&'static str],
    catchup: Catchup,
    start: &'static str,
    last: Option<&'static str>,
    now: &'static str,
    runs: &'static [&'static str],
    next: &'static str,
}

fn check(case: Case) {
    let crons: Vec<String> = case.crons.iter().map(|text| text.to_string()).collect();
    let calendar = Calendar::new(&crons, "UTC", Overlap::First).unwrap();
    let found = due(&calendar, case.catchup, at(case.start), case.last.map(at), at(case.now));
    let expected = Due { runs: case.runs.iter().map(|t| at(t)).collect(), next: Some(at(case.next)) };
    assert_eq!(found, expected, "{}", case.name);
}

#[test]
fn missed_times_follow_the_policy() {
    let base = Case {
        name: "CA01: the first start runs the latest missed time",
        crons: &["30 16 * * *"],
        catchup: Catchup::Latest,
        start: "2021-09-06T00:00Z",
        last: None,
        now: "2021-09-07T00:00Z",
        runs: &["2021-09-06T16:30Z"],
        next: "2021-09-07T16:30Z",
    };
    check(Case { ..base });
    check(Case {
        name: "CA03: a time that ran is not run again",
        last: Some("2021-09-07T16:30Z"),
        runs: &[],
        next: "2021-09-08T16:30Z",
        ..base
    });
    check(Case {
        name: "CA08: nothing runs before the start",
        crons: &["@hourly"],
        start: "2199-12-31T22:30Z",
        now: "2022-07-27T00:30Z",
        last: Some("2021-09-05T00:00Z"),
        runs: &[],
        next: "2199-12-31T23:00Z",
        ..base
    });
    check(Case {
        name: "CA11: a start on the boundary is included",
        crons: &["@hourly"],
        catchup: Catchup::All,
        start: "2022-07-27T00:00Z",
        now: "2022-07-27T01:30Z",
        runs: &["2022-07-27T00:00Z", "2022-07-27T01:00Z"],
        next: "2022-07-27T02:00Z",
        ..base
    });
    check(Case {
        name: "CA20: several crons are one calendar",
        crons: &["@hourly", "30 * * * *"],
        catchup: Catchup::All,
        start: "2025-01-01T00:05Z",
        now: "2025-01-01T00:31Z",
        runs: &["2025-01-01T00:30Z"],
        next: "2025-01-01T01:00Z",
        ..base
    });
    check(Case {
        name: "CA24: before the next time nothing runs",
        crons: &["@hourly", "30 * * * *"],
        start: "2025-01-01T00:00Z",
        last: Some("2025-02-01T00:00Z"),
        now: "2025-02-01T00:29Z",
        runs: &[],
        next: "2025-02-01T00:30Z",
        ..base
    });
    check(Case {
        name: "none: what was missed stays missed",
        catchup: Catchup::None,
        runs: &[],
        next: "2021-09-07T16:30Z",
        ..base
    });
    check(Case {
        name: "none: what is on time runs",
        catchup: Catchup::None,
        now: "2021-09-07T16:30Z",
        runs: &["2021-09-07T16:30Z"],
        next: "2021-09-08T16:30Z",
        ..base
    });
}

#[test]
fn catching_up_all_is_bounded_and_goes_on_at_once() {
    let calendar = Calendar::new(&["* * * * *".into()], "UTC", Overlap::First).unwrap();
    let (start, now) = (at("2025-01-01T00:00Z"), at("2025-01-02T00:00Z"));
    let first = due(&calendar, Catchup::All, start, None, now);
    assert_eq!(
        (first.runs.len(), first.next),
        (RUNS_MAX, Some(start + chrono::Duration::minutes(RUNS_MAX as i64)))
    );
    let second = due(&calendar, Catchup::All, start, first.runs.last().copied(), now);
    assert_eq!(second.runs[0], first.next.unwrap());
}
