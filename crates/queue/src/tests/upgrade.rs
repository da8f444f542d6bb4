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

/// From this migration on, a migration only adds: what the release before it asks and writes stays right, so both may run side by side.
const ONLY_ADDS_FROM: usize = 11;

/// Statements without comments; a function's body belongs to its statement.
fn statements(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap().trim()).collect();
    let text = lines.join(" ");
    let mut parts = vec![String::new()];
    for (n, piece) in text.split("$$").enumerate() {
        let mut within = if n % 2 == 0 { piece.split(';').collect() } else { vec![piece] }.into_iter();
        parts.last_mut().unwrap().push_str(within.next().unwrap_or_default());
        parts.extend(within.map(str::to_owned));
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn only_adds(statement: &str) -> bool {
    let words: Vec<&str> = statement.split_whitespace().collect();
    match words[..] {
        ["CREATE", "TABLE" | "INDEX" | "FUNCTION" | "TRIGGER", ..] | ["INSERT", "INTO", ..] => true,
        ["ALTER", "TABLE", _, ..] => {
            let (_, columns) = statement.split_once("ADD COLUMN").unwrap_or_default();
            let empty = |column: &str| !column.contains("NOT NULL") || column.contains("DEFAULT");
            words[3..5] == ["ADD", "COLUMN"] && columns.split("ADD COLUMN").all(empty)
        }
        _ => false,
    }
}

#[test]
fn a_migration_only_adds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut looked = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let number: usize = name.split('_').next().unwrap().parse().unwrap();
        if number >= ONLY_ADDS_FROM {
            for statement in statements(&std::fs::read_to_string(&file).unwrap()) {
                assert!(
                    only_adds(&statement),
                    "{name} takes something away or demands something: {statement}"
                );
                looked += 1;
            }
        }
    }
    assert!(looked > 3);
    for bad in [
        "DROP TABLE run",
        "ALTER TABLE run DROP COLUMN state",
        "ALTER TABLE run ADD COLUMN a text, ADD COLUMN b int NOT NULL",
        "ALTER TABLE run ALTER COLUMN state TYPE int",
        "UPDATE run SET state = 'x'",
    ] {
        assert!(!only_adds(bad), "{bad}");
    }
}
