//! Two schedulers on one database, of which any may die at any moment: each due time gets one run.

#![allow(clippy::unwrap_used)]

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use e2e::{Crew, Folder};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use test_support::eventually;

const EACH_SECOND: &str =
    "schedule = \"* * * * * *\"\ncatchup = \"all\"\nmax_active_runs = 100\n[tasks.a]\nkind = \"noop\"\n";

/// The logical times of a DAG's runs, in order.
async fn times(crew: &Crew, dag: &str) -> Vec<DateTime<Utc>> {
    let statement = "SELECT logical_at FROM run WHERE dag = $1 ORDER BY logical_at";
    sqlx::query_scalar(statement).bind(dag).fetch_all(&crew.pool).await.unwrap_or_default()
}

/// Waits until there are so many runs. Answers their times.
async fn has(crew: &Crew, dag: &str, many: usize) -> Vec<DateTime<Utc>> {
    eventually(&format!("{many} runs of {dag}"), || async {
        let times = times(crew, dag).await;
        (times.len() >= many).then_some(times)
    })
    .await
}

/// The times of the runs of two schedulers without that guard, of which one is killed and started again.
async fn seconds(breaks: &str) -> Vec<DateTime<Utc>> {
    let settings: &[_] = &[("MILLRACE_TEST_BREAK", breaks)];
    let mut crew = Crew::start(&[("one", settings), ("two", settings)]).await;
    let folder = crew.dag(EACH_SECOND);
    has(&crew, &folder.name, 5).await;
    crew.member("two").kill();
    has(&crew, &folder.name, 15).await;
    crew.member("two").again();
    has(&crew, &folder.name, 25).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_second_has_one_run_while_one_of_two_schedulers_is_killed() {
    let times = seconds("").await;
    for pair in times.windows(2) {
        assert_eq!(pair[1] - pair[0], TimeDelta::seconds(1), "{times:?}");
    }
    let times = seconds("no-run-key").await;
    assert!(
        times.windows(2).any(|pair| pair[0] == pair[1]),
        "without keys of runs, a second has two: {times:?}"
    );
}

const DAGS: usize = 1_000;
/// From when the files are there: they are loaded, and the schedulers killed, before.
const DUE_IN: TimeDelta = TimeDelta::seconds(60);

async fn runs(crew: &Crew) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM run").fetch_one(&crew.pool).await.unwrap()
}

/// A pipeline of many DAGs that are due at one instant, once. Answers it with their names.
fn many(crew: &Crew, at: DateTime<Utc>) -> (Folder, Vec<String>) {
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let text = format!("schedule = {{ dates = [\"{at}\"] }}\n[tasks.a]\nkind = \"noop\"\n");
    let folder = crew.pipeline(&[("pipeline.toml", "")], &text);
    let names: Vec<String> = (1..DAGS).map(|n| format!("{}_{n}", folder.name)).collect();
    names.iter().for_each(|name| folder.write(&format!("dags/{name}.toml"), &text));
    let all = names.into_iter().chain([folder.name.clone()]).collect();
    (folder, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_dags_due_in_one_second_have_one_run_each_though_both_schedulers_are_killed() {
    let mut crew = Crew::start(&[("one", &[]), ("two", &[])]).await;
    let due = (Utc::now() + DUE_IN).duration_trunc(TimeDelta::seconds(1)).unwrap();
    let (_folder, names) = many(&crew, due);
    eventually("all DAGs wait for their time", || async {
        let statement = "SELECT count(*) FROM dag WHERE next_at = $1";
        let waiting: i64 = sqlx::query_scalar(statement).bind(due).fetch_one(&crew.pool).await.ok()?;
        (waiting == DAGS as i64).then_some(())
    })
    .await;
    assert!(Utc::now() < due, "the files were loaded too late for this test");
    // Killed as soon as the first runs are there: in the middle of it.
    eventually("their time comes", || async {
        (Utc::now() > due - TimeDelta::milliseconds(100)).then_some(())
    })
    .await;
    let begun = Instant::now();
    while runs(&crew).await == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "no run is made");
    }
    crew.member("one").kill();
    crew.member("two").kill();
    let left = DAGS as i64 - runs(&crew).await;
    crew.member("one").again();
    crew.member("two").again();
    eventually("each has a run that has ended", || async {
        let statement = "SELECT count(*) FROM run WHERE state = 'success'";
        let done: i64 = sqlx::query_scalar(statement).fetch_one(&crew.pool).await.ok()?;
        (done >= DAGS as i64).then_some(())
    })
    .await;
    println!("both schedulers were killed with {left} of {DAGS} runs to be made");
    let made: Vec<(String, i64)> =
        sqlx::query_as("SELECT dag, count(*) FROM run GROUP BY dag").fetch_all(&crew.pool).await.unwrap();
    assert!(made.iter().all(|(_, runs)| *runs == 1), "{made:?}");
    assert_eq!(made.into_iter().map(|(dag, _)| dag).collect::<BTreeSet<_>>(), names.into_iter().collect());
}
