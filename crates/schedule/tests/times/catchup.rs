//! `catchup.json`: what other engines run for missed times. All rows come out under the settings that they name; none is decided
//! otherwise.

use super::at;
use chrono::{DateTime, Utc};
use schedule::{Calendar, Catchup, History, Overlap, Planned, RunImmediately, Schedule, Timetable};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

#[derive(Deserialize)]
struct Case {
    id: String,
    model: String,
    schedule: String,
    now: Option<String>,
    start: Option<String>,
    catchup: Value,
    last: Option<String>,
    expect: String,
    note: String,
}

/// An instant, or the two of `[from,to)`.
fn times(text: &str) -> Vec<DateTime<Utc>> {
    text.trim_matches(['[', ')']).split(',').map(at).collect()
}

impl Case {
    fn schedule(&self) -> Schedule {
        match self.model.as_str() {
            "interval delta" => Schedule { every: Some(self.schedule.clone()), ..Schedule::default() },
            _ => Schedule::of_cron(&self.schedule.split(" + ").collect::<Vec<_>>()),
        }
    }

    /// `false` is our `latest`, `true` our `all`.
    fn catchups(&self) -> Vec<Catchup> {
        match &self.catchup {
            Value::Bool(false) => vec![Catchup::Latest],
            Value::Bool(true) => vec![Catchup::All],
            word if word == "LAST" => vec![Catchup::Latest],
            _ => vec![Catchup::None, Catchup::Latest, Catchup::All],
        }
    }

    fn timetable(&self, catchup: Catchup) -> Timetable {
        let start = self.start.as_deref().map(at);
        Timetable {
            calendar: Calendar::new(&self.schedule(), "UTC", Overlap::First, start).unwrap(),
            start,
            interval: self.model.starts_with("interval") || self.model == "manual",
            catchup,
            on_unpause: None,
            stale_after: None,
            run_immediately: match self.model.strip_prefix("trigger run_immediately=") {
                Some("10min") => RunImmediately::Within(Duration::from_secs(600)),
                _ => RunImmediately::No,
            },
        }
    }

    /// The first run that is made at `now`, or else the next one.
    fn first(&self, catchup: Catchup) -> Option<Planned> {
        let last = self.last.as_deref().map(times).map(|times| (times[0], times[times.len() - 1]));
        let begin = last.map(|(begin, _)| begin);
        let now = self.now.as_deref().or(self.start.as_deref()).map(at).or(begin).unwrap();
        let history = History { first_at: begin.unwrap_or(now), last, unpaused_at: None };
        let due = self.timetable(catchup).due(&history, now);
        due.runs.into_iter().chain(due.next).next()
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("catchup.json")).unwrap()
}

#[test]
fn every_row_runs_what_it_expects_under_the_setting_that_gives_it() {
    // Kestra's row is in terms of T, and a manual run is asked for: they have tests of their own.
    for case in cases().iter().filter(|case| !["kestra LAST", "manual"].contains(&case.model.as_str())) {
        for catchup in case.catchups() {
            let first = case.first(catchup).unwrap();
            let found = first.interval.map_or_else(|| vec![first.logical_at], |(from, to)| vec![from, to]);
            assert_eq!(found, times(&case.expect), "{} with {catchup:?}: {}", case.id, case.note);
        }
    }
}

#[test]
fn a_run_by_hand_is_for_the_last_interval_that_is_over() {
    let rows: Vec<Case> = cases().into_iter().filter(|case| case.model == "manual").collect();
    assert_eq!(rows.len(), 2);
    for case in rows {
        let (from, to) =
            case.timetable(Catchup::Latest).interval_before(at(case.now.as_deref().unwrap())).unwrap();
        assert_eq!(vec![from, to], times(&case.expect), "{}", case.id);
    }
}

#[test]
fn after_three_missed_hours_only_the_latest_runs() {
    let row = cases().into_iter().find(|case| case.model == "kestra LAST").unwrap();
    let case = Case {
        now: Some("2025-01-01T12:00Z".into()),
        start: None,
        last: Some("2025-01-01T09:00Z".into()),
        ..row
    };
    let history = History {
        first_at: at("2025-01-01"),
        last: Some((at("2025-01-01T09:00Z"), at("2025-01-01T09:00Z"))),
        unpaused_at: None,
    };
    let due = case.timetable(Catchup::Latest).due(&history, at("2025-01-01T12:00Z"));
    let logical = |runs: &[Planned]| runs.iter().map(|run| run.logical_at).collect::<Vec<_>>();
    assert_eq!(logical(&due.runs), [at("2025-01-01T12:00Z")], "{}", case.expect);
    assert_eq!(due.next.unwrap().logical_at, at("2025-01-01T13:00Z"), "{}", case.expect);
}
