//! On the real PostgreSQL of the running stack, each test in a database of its own.

use super::*;
use chrono::Utc;
use model::{RunState, Secret, TaskState};
use std::time::Duration;
use test_support::{Stack, unique};

mod act;
mod after;
mod backfill;
mod backup;
mod deaths;
mod event;
mod faults;
mod limits;
mod machine;
mod map;
mod months;
mod notify;
mod reconcile;
mod setups;
mod steps;
mod time;
mod timeouts;
mod trace;
mod upgrade;

async fn queue() -> Queue {
    let pool = database().await;
    postgres::migrate(&pool).await.unwrap();
    steps::watch(&pool).await;
    Queue::new(pool)
}

/// With nothing in it.
async fn database() -> sqlx::PgPool {
    let stack = Stack::running();
    let password = Secret::new(stack.postgres_password());
    postgres::connect(&stack.postgres_url(&unique("queue")), &password).await.unwrap()
}

/// `"a b<a c<a,b:one_failed"`: tasks, their parents, and a rule other than all_success.
fn run_of(shape: &str, key: &str) -> NewRun {
    let task = |word: &str| {
        let (head, rule) = word.split_once(':').unwrap_or((word, "all_success"));
        let (name, after) = head.split_once('<').unwrap_or((head, ""));
        NewTask {
            name: name.into(),
            kind: "noop",
            rule: rule.into(),
            after: after.split(',').filter(|p| !p.is_empty()).map(str::to_owned).collect(),
            implied: vec![],
            teardown_of: vec![],
            pool: "default".into(),
            slots: 1,
            priority: 0,
            depends_on_past: false,
            expected_in: None,
        }
    };
    NewRun {
        key: key.into(),
        dag: "d".into(),
        pipeline: "p".into(),
        hash: "h".into(),
        logical_at: Utc::now(),
        interval: None,
        skipped: None,
        event: None,
        cause: Cause::Manual,
        timeout_seconds: None,
        expected_in_seconds: None,
        max_active_runs: 1,
        max_active_tasks: None,
        params: Default::default(),
        tasks: shape.split_whitespace().map(task).collect(),
    }
}

fn by() -> By {
    By { who: "anna".into(), why: Some("a test".into()) }
}

const LEASE: Duration = Duration::from_secs(30);

fn failed() -> Ending {
    Ending::Failed { reason: "no".into(), retry_in: None }
}

fn success() -> Ending {
    Ending::Success(serde_json::json!({"n": 1}))
}

/// Runs everything that becomes ready; tasks named in `bad` fail. Answers the run's state and the tasks' in order of name.
async fn play(queue: &Queue, shape: &str, bad: &[&str]) -> (RunState, Vec<TaskState>) {
    play_run(queue, &run_of(shape, &unique("key")), bad).await
}

async fn play_run(queue: &Queue, run: &NewRun, bad: &[&str]) -> (RunState, Vec<TaskState>) {
    let (id, new) = queue.create(run).await.unwrap();
    assert!(new);
    play_on(queue, id, bad).await
}

async fn play_on(queue: &Queue, id: uuid::Uuid, bad: &[&str]) -> (RunState, Vec<TaskState>) {
    loop {
        let claims = queue.claim("me", LEASE, 10).await.unwrap();
        if claims.is_empty() {
            break;
        }
        for claim in claims {
            let ending = if bad.contains(&claim.task.as_str()) { failed() } else { success() };
            assert_eq!(queue.finish(&claim, &ending).await.unwrap(), Finished::Taken);
        }
        assert_eq!(queue.reconcile().await.unwrap(), Reconciled::default());
    }
    assert_eq!(queue.drifted().await.unwrap(), [], "counters are what the tasks say");
    let tasks = queue.tasks(id).await.unwrap();
    (queue.run(id).await.unwrap().unwrap().state, tasks.into_iter().map(|task| task.state).collect())
}

#[tokio::test]
async fn a_run_ends_as_its_leaves_do() {
    use TaskState::*;
    let queue = queue().await;
    let cases: [(&str, &[&str], RunState, &[TaskState]); 6] = [
        ("a b<a c<a d<b,c", &[], RunState::Success, &[Success, Success, Success, Success]),
        ("a b<a c<a d<b,c", &["b"], RunState::Failed, &[Success, Failed, Success, UpstreamFailed]),
        ("a b<a c<b", &["a"], RunState::Failed, &[Failed, UpstreamFailed, UpstreamFailed]),
        ("a b<a:one_failed", &["a"], RunState::Success, &[Failed, Success]),
        ("a b<a:one_failed c<b", &[], RunState::Success, &[Success, Skipped, Skipped]),
        ("a b<a c<a,b:all_done", &["b"], RunState::Success, &[Success, Failed, Success]),
    ];
    for (shape, bad, run, tasks) in cases {
        assert_eq!(play(&queue, shape, bad).await, (run, tasks.to_vec()), "{shape} with {bad:?} failing");
    }
}

#[tokio::test]
async fn a_key_makes_one_run_however_often_it_is_asked_for() {
    let queue = queue().await;
    let key = unique("key");
    let (first, second) =
        (queue.create(&run_of("a", &key)).await.unwrap(), queue.create(&run_of("a", &key)).await.unwrap());
    assert_eq!((first.0, true, false), (second.0, first.1, second.1));
}

#[tokio::test]
async fn a_late_answer_of_a_lost_holder_is_refused() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let zombie = queue.claim("zombie", Duration::ZERO, 1).await.unwrap().remove(0);
    assert_eq!(queue.rescue().await.unwrap(), 1);
    let other = queue.claim("other", LEASE, 1).await.unwrap().remove(0);
    assert_eq!(queue.finish(&zombie, &failed()).await.unwrap(), Finished::Refused);
    assert_eq!(queue.renew(&[zombie.attempt_id, other.attempt_id], LEASE).await.unwrap(), [other.attempt_id]);
    assert_eq!(queue.finish(&other, &success()).await.unwrap(), Finished::Taken);
    assert_eq!(queue.run(id).await.unwrap().unwrap().state, RunState::Success);
}

#[tokio::test]
async fn many_claimers_get_each_task_once() {
    let queue = queue().await;
    let shape: Vec<String> = (0..40).map(|n| format!("t{n}")).collect();
    queue.create(&run_of(&shape.join(" "), &unique("key"))).await.unwrap();
    let claimers = (0..8).map(|_| {
        // As in a process of its own.
        let queue = Queue::new(queue.pool().clone());
        tokio::spawn(async move { queue.claim("me", LEASE, 5).await.unwrap() })
    });
    let mut names: Vec<String> =
        futures_all(claimers).await.into_iter().flatten().map(|claim| claim.task).collect();
    names.sort();
    names.dedup();
    let rest = queue.claim("me", LEASE, 100).await.unwrap();
    assert_eq!(names.len() + rest.len(), 40);
}

async fn futures_all<T>(handles: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut all = vec![];
    for handle in handles.collect::<Vec<_>>() {
        all.push(handle.await.unwrap());
    }
    all
}

#[tokio::test]
async fn a_retry_and_a_deferral_wait_and_only_the_retry_counts() {
    let queue = queue().await;
    queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let look = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue
        .finish(
            &look,
            &Ending::Deferred {
                look_again_in: Duration::ZERO,
                reason: "not yet".into(),
                kept: Some(serde_json::json!(7)),
            },
        )
        .await
        .unwrap();
    let again = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    assert_eq!((look.attempt, again.attempt, again.kept.clone()), (1, 1, Some(serde_json::json!(7))));
    queue
        .finish(&again, &Ending::Failed { reason: "no".into(), retry_in: Some(Duration::ZERO) })
        .await
        .unwrap();
    let retry = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    assert_eq!(retry.attempt, 2);
    queue
        .finish(&retry, &Ending::Failed { reason: "no".into(), retry_in: Some(Duration::from_secs(3600)) })
        .await
        .unwrap();
    assert!(queue.claim("me", LEASE, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_second_run_waits_for_the_first_one() {
    let queue = queue().await;
    let (first, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let (second, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let claims = queue.claim("me", LEASE, 10).await.unwrap();
    assert_eq!(claims.iter().map(|claim| claim.run_id).collect::<Vec<_>>(), [first]);
    queue.finish(&claims[0], &success()).await.unwrap();
    assert_eq!(queue.admit("d", 1).await.unwrap(), 1);
    assert_eq!(queue.claim("me", LEASE, 10).await.unwrap()[0].run_id, second);
}

#[tokio::test]
async fn a_cleared_run_goes_on_where_it_failed() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a b<a c<b", &unique("key"))).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.finish(&claim, &success()).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.finish(&claim, &failed()).await.unwrap();
    assert_eq!(queue.run(id).await.unwrap().unwrap().state, RunState::Failed);
    assert_eq!(queue.clear(id, &Clear::failed(), &by()).await.unwrap(), 2);
    queue.admit("d", 1).await.unwrap();
    for expected in ["b", "c"] {
        let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
        assert_eq!(claim.task, expected);
        queue.finish(&claim, &success()).await.unwrap();
    }
    assert_eq!(queue.run(id).await.unwrap().unwrap().state, RunState::Success);
}

#[tokio::test]
async fn an_ended_run_refuses_what_still_comes() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a b<a", &unique("key"))).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    assert!(queue.end(id, RunState::Cancelled, "by hand").await.unwrap());
    assert_eq!(queue.finish(&claim, &success()).await.unwrap(), Finished::Refused);
    assert!(!queue.end(id, RunState::Cancelled, "again").await.unwrap());
}
