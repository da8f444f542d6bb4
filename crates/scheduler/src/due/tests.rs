use super::*;
use pipeline::{Bundle, Pipeline};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::collections::BTreeMap;

fn dag(settings: &str) -> Dag {
    let files = [
        ("pipeline.toml".to_owned(), String::new()),
        ("dags/d.toml".to_owned(), format!("{settings}\n[tasks.a]\nkind = \"noop\"\n")),
    ]
    .into();
    Pipeline::parse(&Bundle { name: "p".into(), files }).unwrap().dags.remove("d").unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    format!("2024-03-01T{text}Z").parse().unwrap()
}

fn row(last: Option<&str>) -> DagRow {
    DagRow {
        name: "d".into(),
        pipeline: "p".into(),
        hash: "h".into(),
        paused: false,
        first_at: at("10:00:20"),
        last_logical: last.map(at),
        last_end: None,
        next_at: Some(at("10:00:20")),
        unpaused_at: None,
    }
}

fn times(runs: &[NewRun]) -> Vec<DateTime<Utc>> {
    runs.iter().map(|run| run.logical_at).collect()
}

#[test]
fn a_dag_may_run_once_right_after_it_is_first_published() {
    let dag = dag("schedule = \"* * * * *\"\nrun_immediately = true");
    let (runs, next) = plan(&row(None), &dag, at("10:00:20"));
    assert_eq!((times(&runs), next), (vec![at("10:00:00")], Some(at("10:01:00"))));
    let (runs, next) = plan(&row(Some("10:00:00")), &dag, at("10:00:59"));
    assert_eq!((times(&runs), next), (vec![], Some(at("10:01:00"))));
    let (runs, next) = plan(&row(Some("10:00:00")), &dag, at("10:01:00"));
    assert_eq!((times(&runs), next), (vec![at("10:01:00")], Some(at("10:02:00"))));
    assert_eq!(runs[0].key, "schedule:d:2024-03-01T10:01:00Z");
}

#[test]
fn a_dag_without_a_schedule_waits_for_somebody() {
    let (runs, next) = plan(&row(None), &dag(""), at("12:00:00"));
    assert_eq!((times(&runs), next), (vec![], None));
}

#[test]
fn a_run_for_an_interval_fires_at_its_end_and_one_that_is_too_old_says_so() {
    let dag = dag("schedule = \"* * * * *\"\ninterval = true\ncatchup = \"all\"\nstale_after = \"1m\"");
    let (runs, next) = plan(&row(Some("10:00:00")), &dag, at("10:03:30"));
    assert_eq!((times(&runs), next), (vec![at("10:01:00"), at("10:02:00")], Some(at("10:04:00"))));
    assert_eq!(runs[0].interval, Some((at("10:01:00"), at("10:02:00"))));
    let told = runs[0].skipped.as_deref().unwrap();
    assert!(
        told.starts_with("not started: it was due at 2024-03-01T10:02:00Z, and stale_after is 60 s."),
        "{told}"
    );
    assert_eq!(runs[1].skipped, None);
}

#[test]
fn once_without_a_start_is_the_first_publication() {
    let dag = dag("schedule = \"@once\"");
    let (runs, next) = plan(&row(None), &dag, at("11:00:00"));
    assert_eq!((times(&runs), next), (vec![at("10:00:20")], None));
    let (runs, next) = plan(&row(Some("10:00:20")), &dag, at("12:00:00"));
    assert_eq!((times(&runs), next), (vec![], None));
}

#[test]
fn a_pause_that_ended_follows_on_unpause() {
    let paused = DagRow { unpaused_at: Some(at("10:05:30")), ..row(Some("10:01:00")) };
    for (on_unpause, expected) in [("next", vec![]), ("latest", vec![at("10:05:00")])] {
        let dag = dag(&format!("schedule = \"* * * * *\"\ncatchup = \"all\"\non_unpause = \"{on_unpause}\""));
        assert_eq!(times(&plan(&paused, &dag, at("10:05:31")).0), expected, "{on_unpause}");
    }
}

/// Looks at a DAG for some hours by a clock that is put forward and back by an hour now and then. Answers how many runs each due time
/// had, and the latest time that the clock has shown.
fn looked_at(seed: u64, remembers: bool) -> (BTreeMap<DateTime<Utc>, u32>, DateTime<Utc>) {
    let dag = dag("schedule = \"*/5 * * * *\"\ncatchup = \"all\"");
    let mut random = Pcg64::seed_from_u64(seed);
    let (mut row, mut made) = (row(None), BTreeMap::new());
    let (mut time, mut wrong_by, mut latest) = (row.first_at, TimeDelta::zero(), row.first_at);
    for _ in 0..500 {
        time += TimeDelta::seconds(random.random_range(1..90));
        if random.random_ratio(1, 50) {
            wrong_by = TimeDelta::hours(random.random_range(-1..=1));
        }
        let now = time + wrong_by;
        latest = latest.max(now);
        if row.next_at.is_none_or(|next| next > now) {
            continue;
        }
        let (runs, next) = plan(&row, &dag, now);
        times(&runs).into_iter().for_each(|due| *made.entry(due).or_default() += 1);
        row.next_at = next;
        if remembers {
            row.last_logical = times(&runs).into_iter().max().or(row.last_logical);
        }
    }
    (made, latest)
}

/// Each due time once, up to the latest time that was shown.
fn each_once(latest: DateTime<Utc>) -> BTreeMap<DateTime<Utc>, u32> {
    let due = std::iter::successors(Some(at("10:05:00")), |due| Some(*due + TimeDelta::minutes(5)));
    due.take_while(|due| *due <= latest).map(|due| (due, 1)).collect()
}

#[test]
fn a_clock_that_is_wrong_by_an_hour_makes_no_run_twice_and_leaves_none_out() {
    for seed in 0..200 {
        let (made, latest) = looked_at(seed, true);
        assert_eq!(made, each_once(latest), "seed {seed}");
    }
    let (made, latest) = looked_at(0, false);
    assert_ne!(made, each_once(latest), "who forgets what was made makes it again");
}
