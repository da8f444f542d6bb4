//! On the real PostgreSQL of the running stack.

use super::*;
use apache_avro::types::Value;
use model::Secret;
use pipeline::{Bundle, Pipeline};
use test_support::{Stack, unique};

const PIPELINE: &str =
    "[streams.s]\nschema = \"s.avsc\"\nkey = [\"id\"]\n[tables.t]\nstore = \"postgres\"\nstream = \"s\"\n";
const SCHEMA: &str = r#"{"type":"record","name":"S","fields":[{"name":"id","type":"string"},{"name":"n","type":["null","int"]}]}"#;

fn target() -> Target {
    let files = [("pipeline.toml", PIPELINE), ("s.avsc", SCHEMA)]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
    let mut pipeline = Pipeline::parse(&Bundle { name: "p".into(), files }).unwrap();
    let (table, stream) = (pipeline.tables.remove("t").unwrap(), pipeline.streams.remove("s").unwrap());
    let columns = pipeline::columns(&stream).unwrap();
    Target { pipeline: "p".into(), version: "v".into(), table, stream, columns }
}

async fn tables() -> Tables {
    let stack = Stack::running();
    let pool =
        postgres::connect(&stack.postgres_url(&unique("sink")), &Secret::new(stack.postgres_password()))
            .await
            .unwrap();
    Tables::new(pool)
}

fn row(id: &str, n: Option<i32>, version: i64) -> Row {
    Row { values: vec![Some(Value::String(id.into())), n.map(Value::Int)], version }
}

fn places(next: i64) -> Places {
    Places { topic_id: Uuid::nil(), next: Offsets([(0, next)].into()) }
}

async fn content(tables: &Tables) -> Vec<(String, Option<i32>, i64)> {
    sqlx::query_as("SELECT id, n, _version FROM t ORDER BY id").fetch_all(&tables.pool).await.unwrap()
}

#[tokio::test]
async fn rows_and_the_place_are_kept_as_one_and_an_older_version_changes_nothing() {
    let (tables, target) = (tables().await, target());
    tables.prepare(&target).await.unwrap();
    tables.prepare(&target).await.unwrap();
    let batch = [row("a", Some(1), 10), row("b", None, 11), row("a", Some(2), 12)];
    assert_eq!(tables.write(&target, &batch, &places(3)).await, Ok(Written::All));
    assert_eq!(tables.places(&target, Uuid::nil()).await.unwrap(), Some(Offsets([(0, 3)].into())));
    tables.write(&target, &batch[..1], &places(1)).await.unwrap();
    assert_eq!(content(&tables).await, [("a".into(), Some(2), 12), ("b".into(), None, 11)]);
    assert_eq!(tables.places(&target, Uuid::nil()).await.unwrap(), Some(Offsets([(0, 3)].into())));
}

#[tokio::test]
async fn a_row_that_the_database_cannot_take_stops_no_other() {
    let (tables, target) = (tables().await, target());
    tables.prepare(&target).await.unwrap();
    let batch = [row("a", None, 1), row("nul \0", None, 2), row("c", None, 3)];
    let Ok(Written::Refused(refused)) = tables.write(&target, &batch, &places(3)).await else {
        panic!("taken")
    };
    assert_eq!(refused.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1]);
    // Until the refused one is in the dead letters, nothing is kept.
    assert_eq!(
        (content(&tables).await.len(), tables.places(&target, Uuid::nil()).await.unwrap()),
        (0, Some(Offsets::default()))
    );
    let rest = [batch[0].clone(), batch[2].clone()];
    assert_eq!(tables.write(&target, &rest, &places(3)).await, Ok(Written::All));
    assert_eq!(content(&tables).await.len(), 2);
}

#[tokio::test]
async fn a_table_that_differs_is_an_error_that_shows_the_difference() {
    let (tables, target) = (tables().await, target());
    run(
        &mut tables.pool.acquire().await.unwrap(),
        "CREATE TABLE t (id text PRIMARY KEY, n int8, _version int8)",
    )
    .await
    .unwrap();
    let Err(WriteError::Unfit(difference)) = tables.prepare(&target).await else { panic!("taken") };
    assert!(difference.contains("column n is int8, declared int4"), "{difference}");
}
