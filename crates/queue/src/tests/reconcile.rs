//! Counters that are wrong, and runs that can't go on. Both are made by hand: nothing in the code makes them.

use super::*;

async fn by_hand(queue: &Queue, statement: &'static str) {
    steps::watch_no_more(queue.pool()).await;
    sqlx::raw_sql(statement).execute(queue.pool()).await.unwrap();
}

async fn finish_one(queue: &Queue) {
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.finish(&claim, &success()).await.unwrap();
}

#[tokio::test]
async fn counters_that_are_wrong_are_found_and_counted_anew() {
    let queue = queue().await;
    // What is broken, and how many tasks and runs have wrong counters by it.
    let cases = [
        ("UPDATE task SET success = 0 WHERE name = 'c' AND state = 'waiting'", 1),
        ("UPDATE task SET failed = 1, skipped = 1 WHERE name = 'c' AND state = 'waiting'", 1),
        ("UPDATE run SET tasks_left = 9 WHERE state = 'running'", 1),
        (
            "UPDATE run SET tasks_left = 1 WHERE state = 'running'; UPDATE task SET removed = 2 WHERE name IN ('c', 'd') AND state = 'waiting'",
            3,
        ),
        ("UPDATE task SET state = 'waiting', success = 0 WHERE name = 'b' AND state = 'ready'", 1),
    ];
    for (statement, drift) in cases {
        let (id, _) = queue.create(&run_of("a b<a c<a,b d<c", &unique("key"))).await.unwrap();
        finish_one(&queue).await;
        assert_eq!(queue.drifted().await.unwrap(), [], "{statement}");
        by_hand(&queue, statement).await;
        assert_eq!(queue.drifted().await.unwrap(), [(id, drift)], "{statement}");
        assert_eq!(queue.reconcile().await.unwrap(), Reconciled { drift, stuck: 0 }, "{statement}");
        assert_eq!(queue.reconcile().await.unwrap(), Reconciled::default(), "{statement}");
        for _ in ["b", "c", "d"] {
            finish_one(&queue).await;
        }
        assert_eq!(queue.run(id).await.unwrap().unwrap().state, RunState::Success, "{statement}");
    }
}

#[tokio::test]
async fn a_run_that_can_not_go_on_fails_and_names_what_waits() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a b<a c<b", &unique("key"))).await.unwrap();
    finish_one(&queue).await;
    assert_eq!(queue.reconcile().await.unwrap(), Reconciled::default());
    // It waits for one parent more than there is.
    by_hand(&queue, "UPDATE task SET state = 'waiting', upstream = 2 WHERE name = 'b'").await;
    assert_eq!(queue.reconcile().await.unwrap(), Reconciled { drift: 0, stuck: 1 });
    let run = queue.run(id).await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Failed);
    assert_eq!(
        run.reason.as_deref(),
        Some(
            "the run can't go on: \"b\", \"c\" waited, nothing ran and nothing was due. Clear the tasks, or mark what they wait for"
        )
    );
    assert_eq!(queue.reconcile().await.unwrap(), Reconciled::default());
}

#[tokio::test]
async fn a_run_that_waits_for_something_is_not_taken_for_one_that_can_not_go_on() {
    let queue = queue().await;
    let waits =
        Ending::Deferred { look_again_in: Duration::from_secs(3600), reason: "not yet".into(), kept: None };
    let retries = Ending::Failed { reason: "no".into(), retry_in: Some(Duration::from_secs(3600)) };
    for ending in [waits, retries] {
        let (id, _) = queue.create(&run_of("a b<a", &unique("key"))).await.unwrap();
        let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
        assert_eq!(queue.reconcile().await.unwrap(), Reconciled::default(), "it runs");
        queue.finish(&claim, &ending).await.unwrap();
        assert_eq!(queue.reconcile().await.unwrap(), Reconciled::default(), "{ending:?}");
        queue.end(id, RunState::Cancelled, "by hand").await.unwrap();
    }
    // Queued, it waits for a place.
    queue.create(&run_of("a", &unique("key"))).await.unwrap();
    queue.create(&run_of("a", &unique("key"))).await.unwrap();
    assert_eq!(queue.reconcile().await.unwrap(), Reconciled::default());
}
