//! Months: what lies in them, and how they are forgotten.

use super::*;
use chrono::{DateTime, TimeDelta};
use std::time::Instant;
use uuid::Uuid;

/// However much lies in it.
const FORGOTTEN_MAX: Duration = Duration::from_secs(1);

/// An id as a run has it that was made then.
fn made_at(at: DateTime<Utc>, number: u128) -> Uuid {
    Uuid::from_u128((u128::try_from(at.timestamp_millis()).unwrap() << 80) | 7 << 76 | 2 << 62 | number)
}

/// Runs of that moment, ended soon after, with so many tasks each.
pub(super) async fn old_runs(queue: &Queue, at: DateTime<Utc>, runs: usize, tasks: i32) {
    let ids: Vec<Uuid> = (0..runs).map(|number| made_at(at, number as u128)).collect();
    let made =
        "INSERT INTO run (id, dag, pipeline, hash, logical_at, cause, state, tasks_left, made_at, ended_at)
        SELECT id, 'd', 'p', 'h', $2, 'manual', 'success', 0, $2, $2 FROM unnest($1::uuid[]) AS new (id)";
    sqlx::query(made).bind(&ids).bind(at).execute(queue.pool()).await.unwrap();
    let filled = "INSERT INTO task (run_id, dag, name, kind, state, rule, upstream, ended_at)
        SELECT id, 'd', 't' || n, 'noop', 'success', 'all_success', 0, $2 FROM unnest($1::uuid[]) AS new (id), generate_series(1, $3) AS n";
    sqlx::query(filled).bind(&ids).bind(at).bind(tasks).execute(queue.pool()).await.unwrap();
    let told = "INSERT INTO notice (kind, run_id, text) SELECT 'deadline', id, 'late' FROM unnest($1::uuid[]) AS new (id)";
    sqlx::query(told).bind(&ids).execute(queue.pool()).await.unwrap();
}

async fn count_tasks(queue: &Queue) -> i64 {
    sqlx::query_as::<_, (i64,)>("SELECT count(*) FROM task").fetch_one(queue.pool()).await.unwrap().0
}

/// `MILLRACE_TASKS=1000000` makes it as many.
#[tokio::test]
async fn a_month_whose_runs_have_all_ended_long_ago_is_dropped_whole() {
    let queue = queue().await;
    let (now, old) = (Utc::now(), Utc::now() - TimeDelta::days(100));
    assert_eq!(queue.make_months(old).await.unwrap(), 2);
    queue.make_months(now).await.unwrap();
    assert_eq!(queue.make_months(now).await.unwrap(), 0, "they are there");
    let tasks = std::env::var("MILLRACE_TASKS").map_or(20_000, |tasks| tasks.parse().unwrap());
    old_runs(&queue, old, tasks / 40, 40).await;
    let (id, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    assert_eq!(queue.forget_months(1_000.0).await.unwrap(), Vec::<String>::new(), "it is not long ago");
    let started = Instant::now();
    let gone = queue.forget_months(30.0).await.unwrap();
    let took = started.elapsed();
    println!("{tasks} tasks were forgotten in {took:?}");
    assert!(took < FORGOTTEN_MAX, "{took:?}");
    assert!(gone.contains(&old.format("%Y-%m").to_string()), "{gone:?}");
    assert_eq!((count_tasks(&queue).await, queue.run(id).await.unwrap().is_some()), (1, true));
    let (notices,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM notice").fetch_one(queue.pool()).await.unwrap();
    assert_eq!(notices, 0);
    // What lies there is what always lay there.
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    assert_eq!(queue.finish(&claim, &success()).await.unwrap(), Finished::Taken);
}

#[tokio::test]
async fn a_month_is_made_beside_others_and_none_of_them_is_its_victim() {
    let queue = queue().await;
    // Runs first, then tasks: months take them the other way round.
    let mut other = queue.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE run IN ROW EXCLUSIVE MODE").execute(&mut *other).await.unwrap();
    let goes_on = async {
        let waits = "SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT l.granted AND d.datname = current_database()";
        test_support::eventually("the months wait for the runs", || async {
            sqlx::query(waits).fetch_optional(queue.pool()).await.unwrap()
        })
        .await;
        sqlx::query("LOCK TABLE task IN ROW EXCLUSIVE MODE").execute(&mut *other).await.unwrap();
        other.commit().await.unwrap();
    };
    let (made, ()) = tokio::join!(queue.make_months(Utc::now()), goes_on);
    assert_eq!(made.unwrap(), 2);
}

#[tokio::test]
async fn a_month_with_a_run_that_is_still_needed_stays() {
    let queue = queue().await;
    let old = Utc::now() - TimeDelta::days(100);
    queue.make_months(old).await.unwrap();
    old_runs(&queue, old, 2, 1).await;
    // Somebody has run one of them again.
    let again = "UPDATE run SET ended_at = now() WHERE id = $1";
    sqlx::query(again).bind(made_at(old, 0)).execute(queue.pool()).await.unwrap();
    let kept = old.format("%Y-%m").to_string();
    assert!(!queue.forget_months(30.0).await.unwrap().contains(&kept));
    assert_eq!(count_tasks(&queue).await, 2);
}

#[tokio::test]
async fn what_was_there_before_there_were_months_stays_where_it_is_and_is_forgotten_row_by_row() {
    let queue = queue().await;
    let old = Utc::now() - TimeDelta::days(100);
    old_runs(&queue, old, 2, 3).await;
    assert_eq!(queue.make_months(old).await.unwrap(), 1, "only the month after it is free");
    assert_eq!((queue.forget(30.0).await.unwrap(), count_tasks(&queue).await), (2, 0));
}
