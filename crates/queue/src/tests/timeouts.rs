//! Runs that take too long, tasks that are given back, and a clock that jumps.

use super::*;
use model::Guards;

/// Of a run that may take no time at all.
fn short(key: &str) -> NewRun {
    NewRun { timeout_seconds: Some(0), ..run_of("a b<a", key) }
}

async fn run_state(queue: &Queue, id: uuid::Uuid) -> (RunState, Option<String>) {
    let run = queue.run(id).await.unwrap().unwrap();
    (run.state, run.reason)
}

#[tokio::test]
async fn a_run_that_takes_too_long_fails_and_what_comes_later_is_refused() {
    let queue = queue().await;
    let (id, _) = queue.create(&short(&unique("key"))).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    assert_eq!((queue.end_overdue().await.unwrap(), queue.end_overdue().await.unwrap()), (1, 0));
    let told = Some("the run took longer than its timeout".to_owned());
    assert_eq!(run_state(&queue, id).await, (RunState::Failed, told));
    let tasks = queue.tasks(id).await.unwrap();
    assert!(tasks.iter().all(|task| task.state == TaskState::Removed), "{tasks:?}");
    assert_eq!(queue.finish(&claim, &success()).await.unwrap(), Finished::Refused);
    assert_eq!(queue.drifted().await.unwrap(), []);
}

#[tokio::test]
async fn a_timeout_counts_from_a_runs_start_and_anew_when_it_is_cleared() {
    let queue = queue().await;
    let (first, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let (queued, _) = queue.create(&short(&unique("key"))).await.unwrap();
    assert_eq!(queue.end_overdue().await.unwrap(), 0, "it has not begun");
    play_on(&queue, first, &[]).await;
    queue.admit("d", 1).await.unwrap();
    assert_eq!(queue.end_overdue().await.unwrap(), 1);
    let all = Clear { only_failed: false, ..Clear::failed() };
    queue.clear(queued, &all, &by()).await.unwrap();
    queue.admit("d", 1).await.unwrap();
    assert_eq!(run_state(&queue, queued).await.0, RunState::Running);
    assert_eq!(queue.end_overdue().await.unwrap(), 1, "its timeout counts again");
}

#[tokio::test]
async fn what_is_given_back_begins_anew_and_what_only_looks_goes_on() {
    for (kind, anew) in [("command", true), ("sql", true), ("wait", false), ("approve", false)] {
        let queue = queue().await;
        let mut run = run_of("a", &unique("key"));
        run.tasks[0].kind = kind;
        queue.create(&run).await.unwrap();
        let first = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
        // An hour has passed since.
        let earlier = "UPDATE task SET started_at = started_at - interval '1 hour'";
        sqlx::query(earlier).execute(queue.pool()).await.unwrap();
        assert_eq!(queue.give_back(&[first.attempt_id]).await.unwrap(), 1);
        let second = queue.claim("other", LEASE, 1).await.unwrap().remove(0);
        assert_eq!((second.attempt, second.tries), (first.attempt, first.tries), "{kind}: no try is counted");
        assert_eq!(second.age < Duration::from_secs(60), anew, "{kind}: {:?}", second.age);
        assert_eq!(queue.finish(&first, &success()).await.unwrap(), Finished::Refused);
        assert_eq!(queue.finish(&second, &success()).await.unwrap(), Finished::Taken);
    }
}

/// All that is compared with the database's clock is moved: as good as a clock that jumps by so many hours.
async fn jump(queue: &Queue, hours: i32) {
    let statement = "UPDATE task SET ready_at = ready_at - $1 * interval '1 hour', lease_until = lease_until - $1 * interval '1 hour'";
    sqlx::query(statement).bind(hours).execute(queue.pool()).await.unwrap();
}

/// A holder works while the clock jumps; others look. Answers whether its late answer and that of who took over were taken.
async fn jumps(hours: i32, guard: &str) -> [Option<Finished>; 2] {
    let queue = Queue::with_guards(queue().await.pool().clone(), Guards::without(guard).unwrap());
    queue.create(&run_of("a b<a", &unique("key"))).await.unwrap();
    let first = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    jump(&queue, hours).await;
    queue.rescue().await.unwrap();
    let second = queue.claim("other", LEASE, 1).await.unwrap().pop();
    let said = match &second {
        Some(second) => Some(queue.finish(second, &success()).await.unwrap()),
        None => None,
    };
    [Some(queue.finish(&first, &success()).await.unwrap()), said]
}

#[tokio::test]
async fn a_clock_that_jumps_an_hour_lets_no_task_end_twice() {
    use Finished::*;
    assert_eq!(jumps(1, "").await, [Some(Refused), Some(Taken)], "its lease is over for all");
    assert_eq!(jumps(-1, "").await, [Some(Taken), None], "it has its lease for longer");
    assert_eq!(
        jumps(1, "any-attempt").await,
        [Some(Taken), Some(Taken)],
        "without the attempt's id both count"
    );
}

#[tokio::test]
async fn a_lost_holders_slots_are_free_again() {
    let queue = queue().await;
    queue.set_pools(&[("p".to_owned(), 1)].into()).await.unwrap();
    for dag in ["lost", "next"] {
        let mut run = NewRun { dag: dag.into(), ..run_of("a", &unique("key")) };
        run.tasks[0].pool = "p".into();
        queue.create(&run).await.unwrap();
    }
    let claimed = async || {
        let claims = queue.claim("me", Duration::ZERO, 10).await.unwrap();
        claims.into_iter().map(|claim| claim.dag).collect::<Vec<_>>()
    };
    let lost = claimed().await;
    assert_eq!((lost.len(), claimed().await.len()), (1, 0), "it is full");
    assert_eq!(queue.rescue().await.unwrap(), 1);
    assert_eq!(claimed().await.len(), 1);
}
