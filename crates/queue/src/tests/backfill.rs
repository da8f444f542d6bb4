//! Ranges of due times: made at once, run in a lane of their own.

use super::*;
use chrono::{DateTime, TimeDelta};
use std::time::Instant;

/// What is promised for a year of days.
const YEAR_MAX: Duration = Duration::from_secs(1);

/// A run of three tasks for each of `days` days.
pub(super) fn days(prefix: &str, days: usize) -> Vec<NewRun> {
    let first = run_of("a b<a c<b", prefix);
    let of = |day: usize| {
        // PostgreSQL keeps microseconds.
        let first_at = DateTime::from_timestamp_micros(first.logical_at.timestamp_micros()).unwrap();
        let from = first_at + TimeDelta::days(day as i64);
        NewRun {
            key: format!("{prefix}:{day}"),
            logical_at: from,
            interval: Some((from, from + TimeDelta::days(1))),
            cause: Cause::Backfill,
            ..first.clone()
        }
    };
    (0..days).map(of).collect()
}

pub(super) fn asked(reprocess: Reprocess, max_active: u32) -> NewBackfill {
    NewBackfill { dag: "d".into(), from: Utc::now(), to: Utc::now(), reprocess, max_active }
}

async fn counts(queue: &Queue, id: uuid::Uuid) -> (String, [i64; 5]) {
    let row = queue.backfill_row(id).await.unwrap().unwrap();
    let Counts { queued, running, success, failed, cancelled } = row.runs;
    (row.state, [queued, running, success, failed, cancelled])
}

/// Runs what is ready until nothing is; tasks named in `bad` fail.
async fn work(queue: &Queue, bad: &[&str]) {
    loop {
        let claims = queue.claim("me", LEASE, 10).await.unwrap();
        if claims.is_empty() && queue.admit_backfills().await.unwrap() == 0 {
            return;
        }
        for claim in claims {
            let ending = if bad.contains(&claim.task.as_str()) { failed() } else { success() };
            queue.finish(&claim, &ending).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_year_of_days_is_made_within_a_second_and_only_once() {
    let queue = queue().await;
    let (runs, asked) = (days(&unique("key"), 365), asked(Reprocess::None, 4));
    let started = Instant::now();
    let made = queue.backfill(&asked, &runs, &by()).await.unwrap();
    let took = started.elapsed();
    println!("365 runs of 3 tasks were made in {} ms", took.as_millis());
    assert!(took < YEAR_MAX, "{took:?}");
    assert_eq!((made.made.len(), made.again), (365, 0));
    assert_eq!(counts(&queue, made.id.unwrap()).await, ("running".into(), [361, 4, 0, 0, 0]));
    assert_eq!(queue.backfill(&asked, &runs, &by()).await.unwrap(), Backfilled::default());
    assert_eq!(queue.backfills(Some("d"), 10).await.unwrap().len(), 1);
    let run = queue.run_at("d", runs[7].logical_at).await.unwrap().unwrap();
    assert_eq!(
        run.interval_start.zip(run.interval_end).map(|(from, to)| to - from),
        Some(TimeDelta::days(1))
    );
    assert_eq!(queue.edges(run.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_due_now_waits_for_no_backfill() {
    let queue = queue().await;
    queue.backfill(&asked(Reprocess::None, 4), &days(&unique("key"), 20), &by()).await.unwrap();
    // The DAG's one place is free.
    let (id, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    assert_eq!(queue.run(id).await.unwrap().unwrap().state, RunState::Running);
    let claims = queue.claim("me", LEASE, 10).await.unwrap();
    assert!(claims.iter().any(|claim| claim.run_id == id), "{claims:?}");
    // It counts no run of the backfill.
    let (second, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let why = queue.tasks_explained(second).await.unwrap().remove(0).reason.unwrap();
    assert_eq!(why, "the run is queued: the DAG \"d\" has its maximum of 1 active runs");
}

#[tokio::test]
async fn tasks_of_a_backfill_come_after_all_others() {
    let queue = queue().await;
    let priority = |cause| {
        let task = "kind = \"noop\"\npriority = 5";
        let files = [
            ("pipeline.toml".to_owned(), String::new()),
            ("dags/d.toml".to_owned(), format!("[tasks.a]\n{task}\n")),
        ];
        let bundle = pipeline::Bundle { name: "p".into(), files: files.into() };
        let dag = pipeline::Pipeline::parse(&bundle).unwrap().dags.remove("d").unwrap();
        NewRun::of(&dag, "p", "h", unique("key"), Utc::now(), cause)
    };
    let late = priority(Cause::Backfill);
    queue.backfill(&asked(Reprocess::None, 1), &[late], &by()).await.unwrap();
    let (id, _) = queue.create(&priority(Cause::Schedule)).await.unwrap();
    assert_eq!(queue.claim("me", LEASE, 1).await.unwrap()[0].run_id, id);
}

#[tokio::test]
async fn a_backfill_is_paused_resumed_and_cancelled() {
    let queue = queue().await;
    let id = queue.backfill(&asked(Reprocess::None, 2), &days(&unique("key"), 5), &by()).await.unwrap().id;
    let id = id.unwrap();
    assert!(queue.pause_backfill(id, true, &by()).await.unwrap());
    work(&queue, &[]).await;
    assert_eq!(counts(&queue, id).await, ("paused".into(), [3, 0, 2, 0, 0]));
    let queued =
        queue.runs_page(&Which { state: Some(RunState::Queued), ..Which::default() }, 1).await.unwrap();
    let why = queue.tasks_explained(queued[0].id).await.unwrap().remove(0).reason.unwrap();
    assert_eq!(why, "the run is queued: its backfill is paused");
    assert!(queue.pause_backfill(id, false, &by()).await.unwrap());
    assert_eq!(counts(&queue, id).await, ("running".into(), [1, 2, 2, 0, 0]));
    assert_eq!(queue.cancel_backfill(id, &by()).await.unwrap(), Some(3));
    assert_eq!(counts(&queue, id).await, ("cancelled".into(), [0, 0, 2, 0, 3]));
    assert_eq!(queue.cancel_backfill(id, &by()).await.unwrap(), None);
    assert!(!queue.pause_backfill(id, false, &by()).await.unwrap());
    let what: Vec<String> =
        queue.actions(Some("d"), None, 10).await.unwrap().into_iter().rev().map(|act| act.what).collect();
    assert_eq!(what, ["backfill", "pause", "unpause", "cancel"]);
}

#[tokio::test]
async fn runs_that_are_there_run_again_as_it_is_asked() {
    let queue = queue().await;
    let runs = days(&unique("key"), 4);
    for (run, bad) in runs.iter().zip([&["b"][..], &[], &[]]) {
        assert!(queue.create(run).await.unwrap().1);
        work(&queue, bad).await;
    }
    // The third was forgotten: only its key is there.
    sqlx::query("DELETE FROM run WHERE logical_at = $1")
        .bind(runs[2].logical_at)
        .execute(queue.pool())
        .await
        .unwrap();
    // Which is asked for; how many are made and run again; what they come to.
    let cases = [
        (Reprocess::Failed, (1, 1), [0, 0, 2, 0, 0]),
        (Reprocess::None, (0, 0), [0; 5]),
        (Reprocess::All, (1, 3), [0, 0, 4, 0, 0]),
    ];
    for (which, expected, ended) in cases {
        let done = queue.backfill(&asked(which, 8), &runs, &by()).await.unwrap();
        assert_eq!((done.made.len(), done.again), expected, "{which:?}");
        work(&queue, &[]).await;
        if let Some(id) = done.id {
            assert_eq!(counts(&queue, id).await, ("done".into(), ended), "{which:?}");
        }
    }
}

#[test]
fn a_run_that_is_open_is_left_alone() {
    for which in [Reprocess::None, Reprocess::Failed, Reprocess::All] {
        assert!(!which.takes(Some(RunState::Queued)) && !which.takes(Some(RunState::Running)), "{which:?}");
    }
}
