//! `millrace sql`: a question to PostgreSQL.

use std::time::Duration;

use futures::TryStreamExt as _;
use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use crate::address::Addresses;
use crate::cli::SqlArgs;
use crate::failure::Failure;
use crate::{output, table};

/// Nobody waits longer at a terminal; the server gives up at the same time.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// An answer is kept in memory to align its columns.
const ROWS_MAX: usize = 100_000;

pub async fn run(addresses: &Addresses, args: &SqlArgs) -> Result<(), Failure> {
    let (url, password) = if args.metadata { addresses.metadata()? } else { addresses.analytics()? };
    let asked = async { ask(&postgres::connect_now(&url, &password).await?, &args.statement).await };
    let late = |_| Failure::Failed(format!("PostgreSQL at {url} did not answer within {ANSWER_MAX:?}"));
    let rows = tokio::time::timeout(ANSWER_MAX, asked).await.map_err(late)??;
    if rows.len() == ROWS_MAX {
        eprintln!("millrace: only the first {ROWS_MAX} rows are shown");
    }
    if args.json {
        output::json(&rows.into_iter().map(Value::Object).collect());
    } else if let Some(first) = rows.first() {
        let headers: Vec<String> = first.keys().cloned().collect();
        let cells = |row: &Map<String, Value>| row.values().map(|value| table::cell(value, "null")).collect();
        output::line(table::plain(headers, rows.iter().map(cells).collect()));
    } else {
        eprintln!("millrace: no rows");
    }
    Ok(())
}

/// By the simple protocol: every type comes as text, so that none has to be known here.
async fn ask(pool: &postgres::PgPool, statement: &str) -> Result<Vec<Map<String, Value>>, Failure> {
    let mut connection = pool.acquire().await?;
    let limit = format!("SET statement_timeout = {}", ANSWER_MAX.as_millis());
    sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(&mut *connection).await?;
    let mut stream = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_string())).fetch(&mut *connection);
    let mut rows = vec![];
    while let Some(row) = stream.try_next().await.map_err(refused)? {
        rows.push(read(&row)?);
        if rows.len() == ROWS_MAX {
            break;
        }
    }
    Ok(rows)
}

/// An error of class 42 is one of the statement: syntax, unknown names, rights.
fn refused(error: sqlx::Error) -> Failure {
    // The error's own text would name a line of PostgreSQL's source.
    let Some(told) = error.as_database_error() else { return error.into() };
    let message = format!("PostgreSQL refuses the statement: {}", told.message());
    let is_wrong = told.code().is_some_and(|code| code.starts_with("42"));
    if is_wrong { Failure::WrongInput(message) } else { Failure::Failed(message) }
}

fn read(row: &PgRow) -> Result<Map<String, Value>, Failure> {
    let mut object = Map::new();
    for column in row.columns() {
        let value = row.try_get_raw(column.ordinal())?;
        let value = match value.is_null() {
            true => Value::Null,
            false => typed(column.type_info().name(), value.as_str().map_err(sqlx::Error::Decode)?),
        };
        object.insert(free_name(&object, column.name()), value);
    }
    Ok(object)
}

/// Two columns of one name must not become one.
fn free_name(taken: &Map<String, Value>, name: &str) -> String {
    if !taken.contains_key(name) {
        return name.to_string();
    }
    (2..).map(|number| format!("{name}_{number}")).find(|name| !taken.contains_key(name)).unwrap_or_default()
}

/// PostgreSQL's text as JSON. What JSON's numbers cannot hold exactly stays text.
fn typed(kind: &str, text: &str) -> Value {
    let parsed = match kind {
        "BOOL" => Some(Value::Bool(text == "t")),
        "INT2" | "INT4" | "INT8" => text.parse::<i64>().ok().map(Value::from),
        "FLOAT4" | "FLOAT8" => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
        "JSON" | "JSONB" => serde_json::from_str(text).ok(),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::String(text.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_json_and_none_loses_a_digit() {
        let cases = [
            ("BOOL", "t", json!(true)),
            ("INT8", "9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
            ("FLOAT8", "NaN", json!("NaN")),
            ("NUMERIC", "1.10", json!("1.10")),
            ("JSONB", "{\"a\": [1]}", json!({"a": [1]})),
            ("TIMESTAMPTZ", "2026-01-01 00:00:00+00", json!("2026-01-01 00:00:00+00")),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(typed(kind, text), expected, "{kind}");
        }
    }

    #[test]
    fn two_columns_of_one_name_stay_two() {
        let mut row = Map::new();
        for _ in 0..3 {
            row.insert(free_name(&row, "n"), Value::Null);
        }
        assert_eq!(row.keys().collect::<Vec<_>>(), ["n", "n_2", "n_3"]);
    }
}
