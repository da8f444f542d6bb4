//! `check` of tables or with a query: what is found must be as expected.

use super::{Job, tables};
use pipeline::{Checked, Expect};
use serde_json::{Value, json};
use sqlx::{Column, Row, TypeInfo, postgres::PgRow};

/// What was found, and what was expected where that is something else.
pub(super) struct Found {
    /// As the result has it.
    pub value: Value,
    /// The same as a sentence has it.
    pub told: String,
    pub expected: Option<String>,
}

pub async fn run(job: &Job<'_>, checked: &Checked) -> Result<Value, String> {
    let found = match checked {
        Checked { rows: Some(rows), .. } => tables::rows(job, rows).await?,
        Checked { fresh: Some(fresh), .. } => tables::fresh(job, fresh).await?,
        Checked { unique: Some(unique), .. } => tables::unique(job, unique).await?,
        Checked { sql, cql, expect, .. } => {
            query(job, sql.as_deref(), cql.as_deref(), expect.as_ref()).await?
        }
    };
    job.log(&format!("found {}", found.told)).await;
    match found.expected {
        Some(expected) => Err(format!("expected {expected}, found {}", found.told)),
        None => Ok(json!({ "found": found.value })),
    }
}

async fn query(
    job: &Job<'_>,
    sql: Option<&str>,
    cql: Option<&str>,
    expect: Option<&Expect>,
) -> Result<Found, String> {
    let value = match (sql, cql) {
        (Some(sql), _) => first_in_postgres(job, &job.fill(sql)?).await?,
        (None, Some(cql)) => first_in_cassandra(job, &job.fill(cql)?).await?,
        (None, None) => return Err("no query is given".into()),
    };
    let expected = expect.and_then(|expect| differs(expect, &value));
    Ok(Found { told: value.to_string(), value, expected })
}

pub(super) async fn first_in_cassandra(job: &Job<'_>, statement: &str) -> Result<Value, String> {
    let cassandra = job.outside.cassandra().await.map_err(|cause| cause.to_string())?;
    let answer = cassandra.query(statement).await.map_err(|cause| cause.to_string())?;
    Ok(answer.rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or(Value::Null))
}

pub(super) async fn first_in_postgres(job: &Job<'_>, statement: &str) -> Result<Value, String> {
    let pool = job.outside.analytics().await.map_err(|cause| cause.to_string())?;
    let row = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
        .fetch_optional(pool)
        .await
        .map_err(|cause| format!("PostgreSQL refused it: {cause}"))?;
    row.map_or(Ok(Value::Null), |row| value(&row))
}

/// The first column of a row as JSON.
pub fn value(row: &PgRow) -> Result<Value, String> {
    let Some(column) = row.columns().first() else { return Ok(Value::Null) };
    let read = match column.type_info().name() {
        "BOOL" => row.try_get::<Option<bool>, _>(0).map(|v| json!(v)),
        "INT2" => row.try_get::<Option<i16>, _>(0).map(|v| json!(v)),
        "INT4" => row.try_get::<Option<i32>, _>(0).map(|v| json!(v)),
        "INT8" => row.try_get::<Option<i64>, _>(0).map(|v| json!(v)),
        "FLOAT4" => row.try_get::<Option<f32>, _>(0).map(|v| json!(v)),
        "FLOAT8" => row.try_get::<Option<f64>, _>(0).map(|v| json!(v)),
        "TEXT" | "VARCHAR" | "NAME" => row.try_get::<Option<String>, _>(0).map(|v| json!(v)),
        "TIMESTAMPTZ" => row.try_get::<Option<chrono::DateTime<chrono::Utc>>, _>(0).map(|v| json!(v)),
        other => {
            return Err(format!("a check can't compare a {other}: cast it, for example to text or float8"));
        }
    };
    read.map_err(|cause| cause.to_string())
}

/// What was expected, where it is not so.
fn differs(expect: &Expect, found: &Value) -> Option<String> {
    let number = found.as_f64();
    if let Some(equal) = &expect.equals {
        let equal = serde_json::to_value(equal).unwrap_or(Value::Null);
        let same = *found == equal || (number.is_some() && number == equal.as_f64());
        if !same {
            return Some(equal.to_string());
        }
    }
    if let Some(least) = expect.at_least.filter(|least| number.is_none_or(|n| n < *least)) {
        return Some(format!("at least {least}"));
    }
    expect.at_most.filter(|most| number.is_none_or(|n| n > *most)).map(|most| format!("at most {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_says_what_it_expected() {
        let expect = |text: &str| toml::from_str::<Expect>(text).unwrap();
        let cases = [
            ("equals = 3", json!(3), None),
            ("equals = 3", json!(4), Some("3")),
            ("equals = \"a\"", json!("a"), None),
            ("at_least = 1.0", json!(0), Some("at least 1")),
            ("at_least = 1.0\nat_most = 2.0", json!(2), None),
            ("at_most = 2.0", json!(null), Some("at most 2")),
        ];
        for (text, found, expected) in cases {
            assert_eq!(differs(&expect(text), &found).as_deref(), expected, "{text} {found}");
        }
    }
}
