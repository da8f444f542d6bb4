//! In every test of the queue: no run and no task goes from one state to another but by a step that `model` calls legal, and no try
//! seems to go on when nobody has its task any more.

use super::*;
use sqlx::{AssertSqlSafe, PgPool};

/// Makes the database refuse every other step.
pub async fn watch(pool: &PgPool) {
    let runs = legal(RunState::ALL, |from, to| from.may_become(to));
    let tasks = legal(TaskState::ALL, |from, to| from.may_become(to));
    for (table, legal) in [("run", runs), ("task", tasks)] {
        let statements = format!(
            "CREATE FUNCTION watch_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'no legal step of a {table}: from % to %', OLD.state, NEW.state; END $$;
             CREATE TRIGGER watched AFTER UPDATE OF state ON {table} FOR EACH ROW
                WHEN (OLD.state <> NEW.state AND OLD.state || ' ' || NEW.state NOT IN ({legal}))
                EXECUTE FUNCTION watch_{table}()"
        );
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await.unwrap();
    }
    sqlx::raw_sql(OPEN_TRIES).execute(pool).await.unwrap();
}

/// Looked at when the statement has done all that it does. What is deferred goes on as the same try.
const OPEN_TRIES: &str = "
    CREATE FUNCTION watch_tries() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM attempt WHERE run_id = NEW.run_id AND task = NEW.name AND ended_at IS NULL) THEN
            RAISE EXCEPTION 'a try of % is left open: its task is %', NEW.name, NEW.state;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER watched_tries AFTER UPDATE OF state ON task FOR EACH ROW
        WHEN (OLD.state = 'running' AND NEW.state <> 'running' AND NOT NEW.deferred) EXECUTE FUNCTION watch_tries()";

/// For who makes by hand what the code never makes.
pub async fn watch_no_more(pool: &PgPool) {
    let statement = "DROP TRIGGER IF EXISTS watched ON run; DROP TRIGGER IF EXISTS watched ON task; \
        DROP TRIGGER IF EXISTS watched_tries ON task";
    sqlx::raw_sql(statement).execute(pool).await.unwrap();
}

fn legal<S: Copy + std::fmt::Display>(states: &[S], may_become: impl Fn(S, S) -> bool) -> String {
    let pairs = states.iter().flat_map(|from| states.iter().map(move |to| (*from, *to)));
    let legal: Vec<String> = pairs
        .filter(|(from, to)| may_become(*from, *to))
        .map(|(from, to)| format!("'{from} {to}'"))
        .collect();
    legal.join(", ")
}

#[tokio::test]
async fn a_step_that_is_not_legal_is_refused() {
    let queue = queue().await;
    queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let refused = sqlx::raw_sql("UPDATE task SET state = 'success'; UPDATE task SET state = 'running'")
        .execute(queue.pool())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("no legal step of a task: from success to running"), "{refused}");
}

#[tokio::test]
async fn a_try_that_is_left_open_is_refused() {
    let queue = queue().await;
    queue.create(&run_of("a", &unique("key"))).await.unwrap();
    queue.claim("me", LEASE, 1).await.unwrap();
    let refused = sqlx::raw_sql("UPDATE task SET state = 'success'").execute(queue.pool()).await.unwrap_err();
    assert!(refused.to_string().contains("a try of a is left open: its task is success"), "{refused}");
}
