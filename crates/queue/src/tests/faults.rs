//! What the queue promises while schedulers die and race, and what each promise rests on: without its guard, the same scene shows
//! the damage.

use super::*;
use chrono::{DateTime, SecondsFormat};
use model::Guards;
use std::collections::BTreeMap;

pub(super) fn without(queue: &Queue, guard: &str) -> Queue {
    Queue::with_guards(queue.pool().clone(), Guards::without(guard).unwrap())
}

pub(super) async fn count(queue: &Queue, statement: &'static str) -> i64 {
    let (count,): (i64,) = sqlx::query_as(statement).fetch_one(queue.pool()).await.unwrap();
    count
}

const DAGS: usize = 1_000;

/// Two schedulers look at a thousand DAGs that are due, and then make their runs at the same time. Answers the runs.
async fn both_fire(guard: &str) -> i64 {
    let queue = queue().await;
    let names: Vec<(String, bool)> = (0..DAGS).map(|n| (format!("d{n:04}"), false)).collect();
    queue.publish_dags("p", "h", &names).await.unwrap();
    // Both have looked before one of them writes.
    let seen = [queue.due().await.unwrap(), queue.due().await.unwrap()];
    assert!(seen.iter().all(|(due, _)| due.len() == DAGS));
    let fire = async |queue: Queue, (due, now): &(Vec<DagRow>, DateTime<Utc>)| {
        let fired: Vec<Fired> = due.iter().map(|dag| fired(dag, *now)).collect();
        for together in fired.chunks(250) {
            queue.fire_all(together).await.unwrap();
        }
    };
    let (one, other) = (without(&queue, guard), without(&queue, guard));
    tokio::join!(fire(one, &seen[0]), fire(other, &seen[1]));
    assert_eq!(
        count(&queue, "SELECT count(*) FROM task").await,
        count(&queue, "SELECT count(*) FROM run").await
    );
    count(&queue, "SELECT count(*) FROM run").await
}

pub(super) fn fired(dag: &DagRow, now: DateTime<Utc>) -> Fired<'_> {
    let due_at = dag.next_at.unwrap();
    let key = format!("schedule:{}:{}", dag.name, due_at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let run = NewRun { dag: dag.name.clone(), key, cause: Cause::Schedule, ..run_of("a", "") };
    Fired { dag, runs: vec![run], next_at: Some(now + Duration::from_secs(60)) }
}

#[tokio::test]
async fn two_schedulers_make_one_run_of_each_of_a_thousand_dags() {
    assert_eq!(both_fire("").await, DAGS as i64);
    assert!(both_fire("no-run-key").await > DAGS as i64, "without the key, runs are there twice");
}

const SLOTS: u32 = 4;

fn run_in_pool(dag: &str, priority: i32) -> NewRun {
    let mut run = NewRun { dag: dag.into(), ..run_of("a b c d", &unique("key")) };
    for task in &mut run.tasks {
        (task.pool, task.priority) = ("p".into(), priority);
    }
    run
}

/// A claim of all slots waits before its commit; meanwhile tasks that are more urgent are ready, and somebody else claims. Answers the
/// most that a trigger has seen running.
async fn most_at_once(guard: &str) -> i64 {
    let queue = queue().await;
    queue.set_pools(&BTreeMap::from([("p".to_owned(), SLOTS)])).await.unwrap();
    // Deferred: it runs before the commit, and sees what others have committed by then.
    let sample = "CREATE TABLE sample (running bigint);
        CREATE FUNCTION sample() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.dag = 'slow' AND NEW.name = 'a' THEN PERFORM pg_sleep(1); END IF;
            INSERT INTO sample SELECT sum(slots) FROM task WHERE state = 'running' AND pool = 'p'; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER sampled AFTER UPDATE ON task DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (NEW.state = 'running') EXECUTE FUNCTION sample()";
    sqlx::raw_sql(sample).execute(queue.pool()).await.unwrap();
    queue.create(&run_in_pool("slow", 0)).await.unwrap();
    let claim = |queue: Queue| tokio::spawn(async move { queue.claim("me", LEASE, 10).await.unwrap() });
    let slow = claim(without(&queue, guard));
    let waits =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    test_support::eventually("the first claim waits before its commit", || async {
        (count(&queue, waits).await > 0).then_some(())
    })
    .await;
    queue.create(&run_in_pool("urgent", 100)).await.unwrap();
    let urgent = claim(without(&queue, guard));
    let claims = futures_all([slow, urgent].into_iter()).await;
    assert_eq!(claims[0].len(), SLOTS as usize);
    count(&queue, "SELECT max(running) FROM sample").await
}

#[tokio::test]
async fn a_pool_is_never_over_its_size_as_a_trigger_sees_it() {
    assert_eq!(most_at_once("").await, i64::from(SLOTS));
    assert!(
        most_at_once("no-claim-lock").await > i64::from(SLOTS),
        "without the lock, two see the same free slots"
    );
}

/// What is told at once: a line of 10 MB, and a result of 1 MB.
const LINE_BYTES: usize = 10 * 1024 * 1024;
const RESULT_BYTES: usize = 1024 * 1024;

/// A task that says too much. Answers the bytes that the database keeps of its log, and of its result.
async fn kept_of_much(guard: &str) -> (i64, i64) {
    let queue = without(&queue().await, guard);
    queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.log(&claim, &["x".repeat(LINE_BYTES).as_str().into()]).await.unwrap();
    let ending = Ending::Success(serde_json::json!("x".repeat(RESULT_BYTES)));
    assert_eq!(queue.finish(&claim, &ending).await.unwrap(), Finished::Taken);
    (
        count(&queue, "SELECT sum(octet_length(line)) FROM task_log").await,
        count(&queue, "SELECT sum(octet_length(result::text)) FROM task").await,
    )
}

#[tokio::test]
async fn of_a_line_of_ten_megabytes_and_a_result_of_one_little_is_kept() {
    let (of_line, of_result) = kept_of_much("").await;
    assert!(of_line < 5_000 && of_result < 200, "{of_line} {of_result}");
    let (of_line, of_result) = kept_of_much("whole-lines").await;
    assert!(of_line >= LINE_BYTES as i64 && of_result < 200, "{of_line} {of_result}");
    let (of_line, of_result) = kept_of_much("large-results").await;
    assert!(of_line < 5_000 && of_result >= RESULT_BYTES as i64, "{of_line} {of_result}");
}

#[tokio::test]
async fn a_lost_holders_answer_would_be_taken_without_its_attempt_id() {
    for (guard, expected) in [("", Finished::Refused), ("any-attempt", Finished::Taken)] {
        let queue = without(&queue().await, guard);
        queue.create(&run_of("a", &unique("key"))).await.unwrap();
        let zombie = queue.claim("zombie", Duration::ZERO, 1).await.unwrap().remove(0);
        queue.rescue().await.unwrap();
        let other = queue.claim("other", LEASE, 1).await.unwrap().remove(0);
        queue.finish(&other, &success()).await.unwrap();
        assert_eq!(queue.finish(&zombie, &failed()).await.unwrap(), expected, "{guard}");
    }
}
