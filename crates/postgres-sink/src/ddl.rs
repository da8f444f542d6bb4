//! The statements for a table. Pure.

use crate::columns::travels_as;
use pipeline::{Column, ColumnType};
use sink::Target;

/// The column that keeps a row's version.
pub const VERSION: &str = "_version";

/// A column's type, as PostgreSQL's catalogue spells it.
pub fn sql_type(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::Boolean => "bool",
        ColumnType::Int => "int4",
        ColumnType::Long => "int8",
        ColumnType::Float => "float4",
        ColumnType::Double => "float8",
        ColumnType::Text => "text",
        ColumnType::Bytes => "bytea",
        ColumnType::Uuid => "uuid",
        ColumnType::Date => "date",
        ColumnType::TimeMillis | ColumnType::TimeMicros => "time",
        ColumnType::TimestampMillis | ColumnType::TimestampMicros => "timestamptz",
        ColumnType::Decimal { .. } => "numeric",
        ColumnType::Nested => "jsonb",
    }
}

/// Columns by name and type, the version's included.
pub fn expected(target: &Target) -> Vec<(String, String)> {
    let own = target.columns.iter().map(|column| (column.name.clone(), sql_type(column).to_owned()));
    own.chain([(VERSION.to_owned(), "int8".to_owned())]).collect()
}

pub fn create(target: &Target) -> String {
    let null = |column: &Column| if column.nullable { "" } else { " NOT NULL" };
    let column = |column: &Column| format!("{} {}{}", quoted(&column.name), sql_type(column), null(column));
    let columns: Vec<String> = target.columns.iter().map(column).collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {} ({}, {VERSION} int8 NOT NULL, PRIMARY KEY ({}))",
        place(target),
        columns.join(", "),
        list(target.primary_key().iter())
    )
}

/// Keeps the places: table, topic's id, partitions, next offsets.
pub const KEEP_PLACES: &str = include_str!("keep_places.sql");

/// Keeps the places, then takes one array for each column, and one of versions. One statement is one transaction, and one question:
/// rows and places are kept together without a round for each of BEGIN, both of them, and COMMIT.
pub fn upsert(target: &Target) -> String {
    // Those of the places come first.
    let first = 5;
    let array = |(index, column): (usize, &Column)| {
        let (travels, kept) = (travels_as(column), sql_type(column));
        let cast = if travels == kept { String::new() } else { format!("::{kept}[]") };
        format!("${}::{travels}[]{cast}", first + index)
    };
    let arrays: Vec<String> = target.columns.iter().enumerate().map(array).collect();
    let key = target.primary_key();
    let others = target.columns.iter().map(|column| &column.name).filter(|name| !key.contains(name));
    let sets: Vec<String> = others.map(|name| format!("{0} = excluded.{0}", quoted(name))).collect();
    let sets =
        sets.into_iter().chain([format!("{VERSION} = excluded.{VERSION}")]).collect::<Vec<_>>().join(", ");
    format!(
        "WITH kept AS ({KEEP_PLACES}) INSERT INTO {} AS t ({}, {VERSION}) SELECT * FROM unnest({}, ${}::int8[]) ON CONFLICT ({}) DO UPDATE SET {sets} WHERE t.{VERSION} < excluded.{VERSION}",
        place(target),
        list(target.columns.iter().map(|column| &column.name)),
        arrays.join(", "),
        first + target.columns.len(),
        list(key.iter()),
    )
}

pub fn place(target: &Target) -> String {
    format!("{}.{}", quoted(target.table.place()), quoted(&target.table.name))
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
