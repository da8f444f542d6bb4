//! A scheduler that is killed at each statement between what starts a run and the claim of its first task.

use super::{
    after, backfill, event,
    faults::{count, fired, without},
    *,
};

/// What starts a run, as a scheduler has seen it before it died.
enum Seen {
    Trigger,
    Due(DagRow),
    Records(Place),
    Success(Success),
    Range,
}

const ALL: [&str; 5] = ["trigger", "due", "records", "success", "range"];

async fn seen(queue: &Queue, cause: &str) -> Seen {
    match cause {
        "trigger" => Seen::Trigger,
        "due" => {
            queue.publish_dags("p", "h", &[("d".into(), false)]).await.unwrap();
            Seen::Due(queue.due().await.unwrap().0.remove(0))
        }
        "records" => Seen::Records(event::waiting(queue).await),
        "success" => {
            after::following(queue).await;
            after::end(queue, &success()).await;
            forget_runs(queue).await;
            Seen::Success(queue.successes().await.unwrap().remove(0))
        }
        _ => Seen::Range,
    }
}

/// Only what is made from here on is counted.
async fn forget_runs(queue: &Queue) {
    let statement = "DELETE FROM run_key; DELETE FROM task; DELETE FROM run";
    sqlx::raw_sql(statement).execute(queue.pool()).await.unwrap();
}

impl Seen {
    async fn make(&self, queue: &Queue) -> Result<(), sqlx::Error> {
        match self {
            Seen::Trigger => queue.trigger(&run_of("a b<a", "key"), &by()).await.map(drop),
            Seen::Due(dag) => {
                let mut fired = fired(dag, Utc::now());
                fired.runs[0].tasks = run_of("a b<a", "").tasks;
                queue.fire_all(&[fired]).await.map(drop)
            }
            Seen::Records(place) => {
                let new = NewRun { tasks: run_of("a b<a", "").tasks, ..event::run_to(12) };
                queue.take(place, &[(0, 12)].into(), &new).await.map(drop)
            }
            Seen::Success(success) => {
                let new = NewRun { tasks: run_of("a b<a", "").tasks, ..after::follow(success) };
                queue.follow(success, &new).await.map(drop)
            }
            Seen::Range => {
                let asked = backfill::asked(Reprocess::None, 4);
                let runs = vec![NewRun { cause: Cause::Backfill, ..run_of("a b<a", "key") }];
                queue.backfill(&asked, &runs, &by()).await.map(drop)
            }
        }
    }
}

/// The statements that make a run: of its cause, and its own.
fn statements(cause: &str) -> Vec<&'static str> {
    let of_cause: &[&str] = match cause {
        "trigger" => &["INSERT ON action"],
        "due" => &["UPDATE ON dag"],
        "records" => &["UPDATE ON dag_place"],
        "success" => &["DELETE ON dag_success"],
        _ => &["INSERT ON backfill", "INSERT ON action"],
    };
    let own =
        ["INSERT ON run_key", "INSERT ON run", "UPDATE ON run", "INSERT ON task", "INSERT ON task_edge"];
    of_cause.iter().chain(&own).copied().collect()
}

/// The server ends the connection of whoever does this: as good as a kill of the process at that statement.
async fn die_at(queue: &Queue, statement: &str) {
    let statements = format!(
        "CREATE OR REPLACE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END $$;
         CREATE TRIGGER die AFTER {statement} EXECUTE FUNCTION die()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(queue.pool()).await.unwrap();
}

async fn live(queue: &Queue) {
    sqlx::raw_sql("DROP FUNCTION die CASCADE").execute(queue.pool()).await.unwrap();
}

/// What a scheduler leaves that dies in the middle of making a run: runs, keys and tasks; and whether another that saw the same
/// makes a run that goes on to its end.
async fn dies_at(cause: &str, statement: &str, guard: &str) -> ((i64, i64, i64), bool) {
    let queue = queue().await;
    let seen = seen(&queue, cause).await;
    die_at(&queue, statement).await;
    assert!(seen.make(&without(&queue, guard)).await.is_err(), "{cause}: nobody died at {statement}");
    let left = (
        count(&queue, "SELECT count(*) FROM run").await,
        count(&queue, "SELECT count(*) FROM run_key").await,
        count(&queue, "SELECT count(*) FROM task").await,
    );
    live(&queue).await;
    seen.make(&queue).await.unwrap();
    let runs: Vec<(uuid::Uuid,)> =
        sqlx::query_as("SELECT id FROM run").fetch_all(queue.pool()).await.unwrap();
    let [(id,)] = runs[..] else { return (left, false) };
    queue.admit("d", 1).await.unwrap();
    if queue.tasks(id).await.unwrap().is_empty() {
        return (left, false);
    }
    let (_, tasks) = play_on(&queue, id, &[]).await;
    (left, tasks == [TaskState::Success; 2])
}

#[tokio::test]
async fn who_dies_while_making_a_run_leaves_nothing_of_it_and_another_makes_it_whole() {
    for cause in ALL {
        for statement in statements(cause) {
            assert_eq!(
                dies_at(cause, statement, "").await,
                ((0, 0, 0), true),
                "{cause}: killed at {statement}"
            );
        }
    }
}

#[tokio::test]
async fn a_run_that_is_made_in_parts_is_left_without_tasks() {
    for cause in ["trigger", "due", "records", "success"] {
        assert_eq!(dies_at(cause, "INSERT ON task", "run-in-parts").await, ((1, 1, 0), false), "{cause}");
    }
}

#[tokio::test]
async fn who_dies_while_claiming_has_claimed_nothing() {
    for statement in ["UPDATE ON task", "INSERT ON attempt"] {
        let queue = queue().await;
        let (id, _) = queue.create(&run_of("a b<a", &unique("key"))).await.unwrap();
        die_at(&queue, statement).await;
        assert!(queue.claim("dead", LEASE, 10).await.is_err(), "nobody died at {statement}");
        live(&queue).await;
        let claims = queue.claim("me", LEASE, 10).await.unwrap();
        assert_eq!(claims.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [1], "{statement}");
        queue.finish(&claims[0], &success()).await.unwrap();
        assert_eq!(play_on(&queue, id, &[]).await.0, RunState::Success);
        assert_eq!(queue.attempts(id, "a").await.unwrap().len(), 1);
    }
}
