//! A database that an older release has worked on.

use super::*;
use uuid::Uuid;

/// The newest migration of a release that knew no months.
const BEFORE_MONTHS: i64 = 9;

/// What that release has left: a run that ended, with a line in its log, and one that is in the middle.
const LEFT: &str = "
    INSERT INTO run (id, dag, pipeline, hash, logical_at, cause, state, tasks_left, started_at, ended_at) VALUES
        ('01980000-0000-7000-8000-000000000001', 'd', 'p', 'h', now(), 'manual', 'success', 0, now(), now()),
        ('01980000-0000-7000-8000-000000000002', 'd', 'p', 'h', now(), 'manual', 'running', 2, now(), NULL);
    INSERT INTO task (run_id, dag, name, kind, state, rule, upstream, success, ready_at, ended_at) VALUES
        ('01980000-0000-7000-8000-000000000001', 'd', 'a', 'noop', 'success', 'all_success', 0, 0, NULL, now()),
        ('01980000-0000-7000-8000-000000000002', 'd', 'a', 'noop', 'success', 'all_success', 0, 0, NULL, now()),
        ('01980000-0000-7000-8000-000000000002', 'd', 'b', 'noop', 'ready', 'all_success', 1, 1, now(), NULL),
        ('01980000-0000-7000-8000-000000000002', 'd', 'c', 'noop', 'waiting', 'all_success', 1, 0, NULL, NULL);
    INSERT INTO task_edge (run_id, parent, child) VALUES
        ('01980000-0000-7000-8000-000000000002', 'a', 'b'),
        ('01980000-0000-7000-8000-000000000002', 'b', 'c');
    INSERT INTO task_log (run_id, task, attempt, line) VALUES
        ('01980000-0000-7000-8000-000000000001', 'a', 1, 'of the old release');
";

#[tokio::test]
async fn a_database_with_runs_is_brought_further_and_what_was_begun_goes_on() {
    let pool = database().await;
    postgres::migrate_to(&pool, BEFORE_MONTHS).await.unwrap();
    sqlx::raw_sql(LEFT).execute(&pool).await.unwrap();
    postgres::migrate(&pool).await.unwrap();
    let queue = Queue::new(pool);
    queue.make_months(Utc::now()).await.unwrap();

    let [ended, begun] = [1, 2].map(|n| Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 + n));
    assert_eq!(queue.run(ended).await.unwrap().unwrap().state, RunState::Success);
    assert_eq!(queue.task_log(ended, "a", 10).await.unwrap()[0].line, "of the old release");
    assert_eq!(play_on(&queue, begun, &[]).await, (RunState::Success, vec![TaskState::Success; 3]));
    assert_eq!(play(&queue, "a b<a", &[]).await.0, RunState::Success, "a run of its own");
}

#[tokio::test]
async fn a_process_of_the_old_release_may_start_beside_the_new_one() {
    let queue = queue().await;
    postgres::migrate_to(queue.pool(), BEFORE_MONTHS).await.unwrap();
    assert_eq!(play(&queue, "a", &[]).await.0, RunState::Success);
}
