//! The statements for a table. Pure.

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
        ColumnType::Decimal => "numeric",
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

/// Takes one array of text per column, and one of versions; casts them to the columns' types.
pub fn upsert(target: &Target) -> String {
    let arrays: Vec<String> = target
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("${}::text[]::{}[]", index + 1, sql_type(column)))
        .collect();
    let key = target.primary_key();
    let others = target.columns.iter().map(|column| &column.name).filter(|name| !key.contains(name));
    let sets: Vec<String> = others.map(|name| format!("{0} = excluded.{0}", quoted(name))).collect();
    let sets =
        sets.into_iter().chain([format!("{VERSION} = excluded.{VERSION}")]).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO {} AS t ({}, {VERSION}) SELECT * FROM unnest({}, ${}::int8[]) ON CONFLICT ({}) DO UPDATE SET {sets} WHERE t.{VERSION} < excluded.{VERSION}",
        place(target),
        list(target.columns.iter().map(|column| &column.name)),
        arrays.join(", "),
        target.columns.len() + 1,
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
