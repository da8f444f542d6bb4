//! What is made of times that passed while nobody looked.

use super::at;
use chrono::{DateTime, TimeDelta, Utc};
use schedule::{
    Calendar, Catchup, Due, History, OnUnpause, Overlap, Planned, RUNS_MAX, RunImmediately, Schedule,
    Timetable,
};
use std::time::Duration;

/// Daily at 16:30, point in time, no start.
fn daily(catchup: Catchup) -> Timetable {
    Timetable {
        calendar: Calendar::new(&Schedule::of_cron(&["30 16 * * *"]), "UTC", Overlap::First, None).unwrap(),
        start: None,
        interval: false,
        catchup,
        on_unpause: None,
        stale_after: None,
        run_immediately: RunImmediately::No,
    }
}

fn max(most: u16) -> Catchup {
    Catchup::Max(most.try_into().unwrap())
}

/// Of September 2021, days; the next one too.
fn days(due: &Due) -> (Vec<u32>, u32) {
    let day = |run: &Planned| chrono::Datelike::day(&run.logical_at);
    (due.runs.iter().map(day).collect(), due.next.as_ref().map_or(0, day))
}

/// A run that was for an instant.
fn instant(text: &str) -> (DateTime<Utc>, DateTime<Utc>) {
    (at(text), at(text))
}

fn history(first_at: &str, last: Option<&str>, unpaused_at: Option<&str>) -> History {
    History { first_at: at(first_at), last: last.map(instant), unpaused_at: unpaused_at.map(at) }
}

#[test]
fn catchup_says_which_of_the_missed_times_run() {
    let (ran_until_the_6th, now) =
        (history("2021-09-01", Some("2021-09-06T16:30Z"), None), at("2021-09-10T12:00Z"));
    for (catchup, runs) in [
        (Catchup::None, vec![]),
        (Catchup::Latest, vec![9]),
        (Catchup::All, vec![7, 8, 9]),
        (max(1), vec![9]),
        (max(2), vec![8, 9]),
        (max(500), vec![7, 8, 9]),
    ] {
        assert_eq!(days(&daily(catchup).due(&ran_until_the_6th, now)), (runs, 10), "{catchup:?}");
    }
}

#[test]
fn what_is_on_time_is_not_missed() {
    let history = history("2021-09-01", Some("2021-09-06T16:30Z"), None);
    for catchup in [Catchup::None, Catchup::Latest, Catchup::All, max(1)] {
        let table = daily(catchup);
        assert_eq!(days(&table.due(&history, at("2021-09-07T16:29:59Z"))), (vec![], 7), "{catchup:?}");
        assert_eq!(days(&table.due(&history, at("2021-09-07T16:30:00Z"))), (vec![7], 8), "{catchup:?}");
        assert_eq!(days(&table.due(&history, at("2021-09-07T16:30:29Z"))), (vec![7], 8), "{catchup:?}");
    }
    assert_eq!(days(&daily(Catchup::None).due(&history, at("2021-09-07T16:30:30Z"))), (vec![], 8));
}

#[test]
fn nothing_runs_before_the_start_or_the_first_publication() {
    let first = history("2021-09-08T12:00Z", None, None);
    let now = at("2021-09-10T12:00Z");
    assert_eq!(days(&daily(Catchup::All).due(&first, now)), (vec![8, 9], 10));
    let started = |start: &str| Timetable { start: Some(at(start)), ..daily(Catchup::All) };
    assert_eq!(days(&started("2021-09-06T16:30Z").due(&first, now)), (vec![6, 7, 8, 9], 10));
    assert_eq!(days(&started("2021-09-20").due(&first, now)), (vec![], 20));
    // A start that was moved on since the last run.
    let ran = history("2021-09-01", Some("2021-09-06T16:30Z"), None);
    assert_eq!(days(&started("2021-09-09").due(&ran, now)), (vec![9], 10));
}

#[test]
fn after_a_pause_on_unpause_decides_and_then_catchup_again() {
    // Paused from the 2nd to noon of the 6th; at noon of the 9th somebody looks again.
    let history = history("2021-09-01", Some("2021-09-02T16:30Z"), Some("2021-09-06T12:00Z"));
    let after = |catchup, on_unpause| Timetable { on_unpause, ..daily(catchup) };
    let (soon, late) = (at("2021-09-06T12:00:01Z"), at("2021-09-09T12:00Z"));
    for (catchup, on_unpause, at_once, later) in [
        (Catchup::All, None, vec![3, 4, 5], vec![3, 4, 5, 6, 7, 8]),
        (Catchup::All, Some(OnUnpause::Next), vec![], vec![6, 7, 8]),
        (Catchup::All, Some(OnUnpause::Latest), vec![5], vec![5, 6, 7, 8]),
        (Catchup::None, Some(OnUnpause::Latest), vec![5], vec![5]),
        (Catchup::Latest, Some(OnUnpause::Next), vec![], vec![8]),
        (max(2), Some(OnUnpause::Latest), vec![5], vec![5, 7, 8]),
    ] {
        let table = after(catchup, on_unpause);
        assert_eq!(days(&table.due(&history, soon)), (at_once, 6), "{catchup:?} {on_unpause:?} at once");
        assert_eq!(days(&table.due(&history, late)), (later, 9), "{catchup:?} {on_unpause:?} later");
    }
    let ran = History { last: Some(instant("2021-09-05T16:30Z")), ..history };
    let again = after(Catchup::None, Some(OnUnpause::Latest)).due(&ran, soon);
    assert_eq!(days(&again), (vec![], 6), "the latest of a pause runs once");
}

#[test]
fn an_interval_fires_at_its_end() {
    let table = Timetable { interval: true, ..daily(Catchup::All) };
    let ran = history("2021-09-01", Some("2021-09-06T16:30Z"), None);
    let due = table.due(&ran, at("2021-09-09T16:29Z"));
    assert_eq!(days(&due), (vec![7], 8));
    let run = |day: u32| {
        let time = |day: u32| at(&format!("2021-09-0{day}T16:30Z"));
        Planned {
            logical_at: time(day),
            interval: Some((time(day), time(day + 1))),
            fires_at: time(day + 1),
            stale: false,
        }
    };
    assert_eq!((due.runs[0], due.next), (run(7), Some(run(8))));
    assert_eq!(days(&table.due(&ran, at("2021-09-09T16:30Z"))), (vec![7, 8], 9));
    // What is late is so by its end.
    let only_on_time = Timetable { catchup: Catchup::None, ..table };
    assert_eq!(days(&only_on_time.due(&ran, at("2021-09-09T16:30:05Z"))), (vec![8], 9));
}

#[test]
fn what_is_too_old_is_told_and_not_started() {
    let table = Timetable { stale_after: Some(Duration::from_secs(36 * 3600)), ..daily(Catchup::All) };
    let ran = history("2021-09-01", Some("2021-09-06T16:30Z"), None);
    let due = table.due(&ran, at("2021-09-10T12:00Z"));
    let stale: Vec<bool> = due.runs.iter().map(|run| run.stale).collect();
    assert_eq!((days(&due), stale), ((vec![7, 8, 9], 10), vec![true, true, false]));
    // The interval of the 8th was over on the 9th.
    let of_intervals = Timetable { interval: true, ..table }.due(&ran, at("2021-09-10T12:00Z"));
    let stale: Vec<bool> = of_intervals.runs.iter().map(|run| run.stale).collect();
    assert_eq!((days(&of_intervals), stale), ((vec![7, 8], 9), vec![true, false]));
}

#[test]
fn a_dag_without_history_may_run_immediately() {
    let within = RunImmediately::Within(Duration::from_secs(600));
    for (now, run_immediately, start, expected) in [
        ("2021-09-07T16:35Z", within, None, Some("2021-09-07T16:30Z")),
        ("2021-09-07T16:30Z", within, None, Some("2021-09-07T16:30Z")),
        ("2021-09-07T16:41Z", within, None, None),
        ("2021-09-07T16:35Z", within, Some("2021-09-07T16:34Z"), None),
        ("2021-09-07T16:35Z", RunImmediately::Now, None, Some("2021-09-07T16:30Z")),
        ("2021-09-07T16:29Z", RunImmediately::Now, None, Some("2021-09-06T16:30Z")),
        ("2021-09-07T16:35Z", RunImmediately::Now, Some("2021-09-07T16:34Z"), None),
        ("2021-09-07T16:35Z", RunImmediately::No, None, None),
    ] {
        let table = Timetable { run_immediately, start: start.map(at), ..daily(Catchup::None) };
        let runs = table.due(&history(now, None, None), at(now)).runs;
        let times: Vec<_> = runs.iter().map(|run| run.logical_at).collect();
        assert_eq!(times, Vec::from_iter(expected.map(at)), "{now} {run_immediately:?} {start:?}");
    }
}

#[test]
fn after_an_edit_of_the_schedule_what_was_covered_is_not_covered_again() {
    let of = |expression, interval| Timetable {
        calendar: Calendar::new(&Schedule::of_cron(&[expression]), "UTC", Overlap::First, None).unwrap(),
        interval,
        ..daily(Catchup::All)
    };
    let first = |table: &Timetable, last: (&str, &str)| {
        let last = (at(last.0), at(last.1));
        let history = History { first_at: last.0, last: Some(last), unpaused_at: None };
        table.due(&history, at("2021-09-08")).runs[0].logical_at
    };
    let day = ("2021-09-04", "2021-09-05");
    for (table, last, expected) in [
        (of("@daily", true), day, "2021-09-05"),
        (of("@hourly", true), day, "2021-09-05"),
        (of("30 16 * * *", true), day, "2021-09-04T16:30Z"),
        (of("@daily", true), ("2021-09-05T23:00Z", "2021-09-06"), "2021-09-06"),
        (of("@daily", true), ("2021-09-05T17:00Z", "2021-09-05T17:00Z"), "2021-09-06"),
        // An instant covers nothing but itself.
        (of("@hourly", false), day, "2021-09-04T01:00Z"),
    ] {
        assert_eq!(first(&table, last), at(expected), "{last:?}");
    }
}

#[test]
fn a_run_immediately_is_never_too_old_and_is_for_now_where_nothing_was_due_yet() {
    let now = RunImmediately::Now;
    let stale_after = Some(Duration::from_secs(60));
    let daily = Timetable { run_immediately: now, stale_after, ..daily(Catchup::None) };
    let history = history("2021-09-10T12:00Z", None, None);
    let point = at("2021-09-09T16:30Z");
    let run = Planned { logical_at: point, interval: None, fires_at: point, stale: false };
    assert_eq!(daily.due(&history, history.first_at).runs, [run]);
    let begin = at("2021-09-08T16:30Z");
    let of_interval = Planned { logical_at: begin, interval: Some((begin, point)), ..run };
    let intervals = Timetable { interval: true, ..daily.clone() };
    assert_eq!(intervals.due(&history, history.first_at).runs, [of_interval]);
    let dates = Schedule { dates: vec!["2021-12-24".into()], ..Schedule::default() };
    let ahead = Timetable { calendar: Calendar::new(&dates, "UTC", Overlap::First, None).unwrap(), ..daily };
    let moment = Planned { logical_at: history.first_at, fires_at: history.first_at, ..run };
    assert_eq!(ahead.due(&history, history.first_at).runs, [moment]);
}

#[test]
fn a_backlog_is_made_in_parts_that_follow_at_once() {
    let calendar = Calendar::new(&Schedule::of_cron(&["* * * * *"]), "UTC", Overlap::First, None).unwrap();
    for (catchup, first) in [(Catchup::All, "2025-01-01T00:01Z"), (max(250), "2025-01-01T19:51Z")] {
        let table = Timetable { calendar: calendar.clone(), ..daily(catchup) };
        let (mut last, now) = (at("2025-01-01T00:00Z"), at("2025-01-02T00:00Z"));
        let mut made = vec![];
        loop {
            let due =
                table.due(&History { first_at: last, last: Some((last, last)), unpaused_at: None }, now);
            made.extend(due.runs.iter().map(|run| run.logical_at));
            assert!(due.runs.len() <= RUNS_MAX);
            last = *made.last().unwrap();
            let next = due.next.unwrap().fires_at;
            assert_eq!(next, last + TimeDelta::minutes(1), "{catchup:?}");
            if next > now {
                break;
            }
        }
        let expected: Vec<_> =
            (0..).map(|n| at(first) + TimeDelta::minutes(n)).take_while(|time| *time <= now).collect();
        assert_eq!(made, expected, "{catchup:?}");
    }
}
