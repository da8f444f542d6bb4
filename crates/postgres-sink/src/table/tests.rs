//! On the real PostgreSQL of the running stack.

use super::*;
use apache_avro::types::Value;
use model::Secret;
use pipeline::{Bundle, Pipeline};
use sink::{Table as _, Turns};
use sqlx::types::chrono::{DateTime, Utc};
use test_support::{Stack, unique};

const PIPELINE: &str =
    "[streams.s]\nschema = \"s.avsc\"\nkey = [\"id\"]\n[tables.t]\nstore = \"postgres\"\nstream = \"s\"\n";
const SCHEMA: &str = r#"{"type":"record","name":"S","fields":[{"name":"id","type":"string"},{"name":"n","type":["null","int"]}]}"#;

fn target() -> Target {
    target_of(SCHEMA)
}

fn target_of(schema: &str) -> Target {
    let files = [("pipeline.toml", PIPELINE), ("s.avsc", schema)]
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

async fn write(table: &Table, rows: &[Row], next: i64) -> Result<Written, WriteError> {
    write_again(table, &mut table.ready(rows.to_vec(), places(next))).await
}

async fn write_again(table: &Table, batch: &mut Batch) -> Result<Written, WriteError> {
    table.write(batch, &mut Turns::default().next().await).await
}

async fn content(tables: &Tables) -> Vec<(String, Option<i32>, i64)> {
    sqlx::query_as("SELECT id, n, _version FROM t ORDER BY id").fetch_all(&tables.pool).await.unwrap()
}

#[tokio::test]
async fn rows_and_the_place_are_kept_as_one_and_an_older_version_changes_nothing() {
    let (tables, target) = (tables().await, target());
    tables.open(&target).await.unwrap();
    let table = tables.open(&target).await.unwrap();
    let batch = [row("a", Some(1), 10), row("b", None, 11), row("a", Some(2), 12)];
    assert_eq!(write(&table, &batch, 3).await, Ok(Written::All));
    assert_eq!(table.places(Uuid::nil()).await.unwrap(), Some(Offsets([(0, 3)].into())));
    write(&table, &batch[..1], 1).await.unwrap();
    assert_eq!(content(&tables).await, [("a".into(), Some(2), 12), ("b".into(), None, 11)]);
    assert_eq!(table.places(Uuid::nil()).await.unwrap(), Some(Offsets([(0, 3)].into())));
    // Markers take offsets and are no rows.
    assert_eq!(write(&table, &[], 4).await, Ok(Written::All));
    assert_eq!(table.places(Uuid::nil()).await.unwrap(), Some(Offsets([(0, 4)].into())));
}

#[tokio::test]
async fn a_row_that_the_database_cannot_take_stops_no_other() {
    let (tables, target) = (tables().await, target());
    let table = tables.open(&target).await.unwrap();
    let rows = [row("a", None, 1), row("nul \0", None, 2), row("c", None, 3)];
    let mut batch = table.ready(rows.to_vec(), places(3));
    let Ok(Written::Refused(refused)) = write_again(&table, &mut batch).await else { panic!("taken") };
    assert_eq!(refused.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1]);
    // Until the refused one is in the dead letters, nothing is kept.
    assert_eq!(
        (content(&tables).await.len(), table.places(Uuid::nil()).await.unwrap()),
        (0, Some(Offsets::default()))
    );
    assert_eq!(write_again(&table, &mut batch).await, Ok(Written::All));
    assert_eq!(content(&tables).await.len(), 2);
}

const ALL_TYPES: &str = r#"{"type":"record","name":"S","fields":[
  {"name":"id","type":"string"},{"name":"flag","type":"boolean"},{"name":"small","type":"int"},{"name":"large","type":"long"},
  {"name":"single","type":"float"},{"name":"double","type":"double"},{"name":"bytes","type":"bytes"},
  {"name":"day","type":{"type":"int","logicalType":"date"}},{"name":"time","type":{"type":"long","logicalType":"time-micros"}},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},{"name":"list","type":{"type":"array","items":"int"}}]}"#;

#[tokio::test]
async fn values_arrive_as_the_types_of_their_columns_and_one_out_of_range_is_refused() {
    let (tables, target) = (tables().await, target_of(ALL_TYPES));
    let table = tables.open(&target).await.unwrap();
    let with = |id: &str, at: i64, version| {
        let values = [
            Value::String(id.into()),
            Value::Boolean(true),
            Value::Int(-1),
            Value::Long(1 << 40),
            Value::Float(0.5),
            Value::Double(f64::NAN),
            Value::Bytes(vec![0, 255]),
            Value::Date(-1),
            Value::TimeMicros(86_399_999_999),
            Value::TimestampMillis(at),
            Value::Decimal([0xcf, 0xc7].into()),
            Value::Array(vec![Value::Int(1)]),
        ];
        Row { values: values.map(Some).into(), version }
    };
    let mut batch = table.ready(vec![with("good", -1, 1), with("far", i64::MAX, 2)], places(2));
    let Ok(Written::Refused(refused)) = write_again(&table, &mut batch).await else { panic!("taken") };
    let [(1, reason)] = &refused[..] else { panic!("{refused:?}") };
    assert!(reason.contains("column \"at\" is TimestampMillis, the record has"), "{reason}");
    assert_eq!(write_again(&table, &mut batch).await, Ok(Written::All));
    let text: String = sqlx::query_scalar(
        "SELECT concat_ws(' ', flag, small, large, single, double, bytes, day, time, price, list) FROM t",
    )
    .fetch_one(&tables.pool)
    .await
    .unwrap();
    assert_eq!(text, r"t -1 1099511627776 0.5 NaN \x00ff 1969-12-31 23:59:59.999999 -123.45 [1]");
    let at: DateTime<Utc> = sqlx::query_scalar("SELECT at FROM t").fetch_one(&tables.pool).await.unwrap();
    assert_eq!(at.timestamp_millis(), -1);
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
    let Err(WriteError::Unfit(difference)) = tables.open(&target).await else { panic!("taken") };
    assert!(difference.contains("column n is int8, declared int4"), "{difference}");
}
