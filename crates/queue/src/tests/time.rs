//! Intervals, pauses, and runs that it is too late for.

use super::*;
use chrono::{DateTime, TimeDelta};

async fn published(queue: &Queue) -> DagRow {
    queue.publish_dags("p", "h", &[("d".into(), false)]).await.unwrap();
    queue.dags().await.unwrap().remove(0)
}

fn hours_ago(hours: i64) -> DateTime<Utc> {
    // PostgreSQL keeps microseconds.
    let now = DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).unwrap();
    now - TimeDelta::hours(hours)
}

#[tokio::test]
async fn a_run_keeps_its_interval_and_one_that_is_too_old_is_told_and_not_started() {
    let queue = queue().await;
    let dag = published(&queue).await;
    let of = |hours: i64, skipped: Option<&str>| NewRun {
        logical_at: hours_ago(hours),
        interval: Some((hours_ago(hours), hours_ago(hours - 1))),
        skipped: skipped.map(str::to_owned),
        cause: Cause::Schedule,
        ..run_of("a b<a", &unique("key"))
    };
    let runs = [of(3, Some("too old")), of(2, None)];
    assert_eq!(queue.fire(&dag, &runs, None).await.unwrap(), Some(2));
    let mut stored = queue.runs(Some("d"), 10).await.unwrap();
    stored.sort_by_key(|run| run.logical_at);
    let found: Vec<_> = stored.iter().map(|run| (run.state, run.reason.as_deref())).collect();
    assert_eq!(found, [(RunState::Cancelled, Some("too old")), (RunState::Running, None)]);
    for (stored, new) in stored.iter().zip(&runs) {
        assert_eq!(stored.interval_start.zip(stored.interval_end), new.interval);
    }
    let tasks = queue.tasks(stored[0].id).await.unwrap();
    assert!(tasks.iter().all(|task| task.state == TaskState::Removed), "{tasks:?}");
}

#[tokio::test]
async fn a_run_that_waited_too_long_is_told_once_and_may_be_cleared() {
    let queue = queue().await;
    let new = |cause, hours| NewRun {
        logical_at: hours_ago(hours),
        cause,
        max_active_runs: 0,
        ..run_of("a", &unique("key"))
    };
    let (late, _) = queue.create(&new(Cause::Schedule, 2)).await.unwrap();
    let (in_time, _) = queue.create(&new(Cause::Schedule, 0)).await.unwrap();
    let (asked_for, _) = queue.create(&new(Cause::Backfill, 2)).await.unwrap();
    let look = || queue.end_stale("d", Duration::from_secs(3600), |_| "too old".into());
    assert_eq!((look().await.unwrap(), look().await.unwrap()), (1, 0));
    let state = async |id| queue.run(id).await.unwrap().unwrap().state;
    let states = (state(late).await, state(in_time).await, state(asked_for).await);
    assert_eq!(states, (RunState::Cancelled, RunState::Queued, RunState::Queued));
    // Who clears it wants it all the same.
    assert_eq!((queue.clear(late, &Clear::failed(), &by()).await.unwrap(), look().await.unwrap()), (1, 0));
    assert_eq!(state(late).await, RunState::Queued);
}

#[tokio::test]
async fn only_the_end_of_a_pause_is_remembered() {
    let queue = queue().await;
    assert_eq!(published(&queue).await.unpaused_at, None);
    let unpaused_at = async || queue.dags().await.unwrap().remove(0).unpaused_at;
    queue.pause("d", false, &by()).await.unwrap();
    queue.pause("d", true, &by()).await.unwrap();
    assert_eq!(unpaused_at().await, None);
    queue.pause("d", false, &by()).await.unwrap();
    let once = unpaused_at().await;
    assert!(once.is_some());
    queue.pause("d", false, &by()).await.unwrap();
    assert_eq!(unpaused_at().await, once);
}
