//! Answers as JSON, for the command line and for checks.

use scylla::{
    response::query_result::QueryResult,
    value::{CqlValue, Row},
};
use serde_json::{Value, json};

/// The rows of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

pub(crate) fn read(result: QueryResult) -> Result<Answer, String> {
    if !result.is_rows() {
        return Ok(Answer::default());
    }
    let result = result.into_rows_result().map_err(|cause| cause.to_string())?;
    let columns = result.column_specs().iter().map(|spec| spec.name().to_owned()).collect();
    let mut rows = vec![];
    for row in result.rows::<Row>().map_err(|cause| cause.to_string())? {
        let row = row.map_err(|cause| cause.to_string())?;
        rows.push(row.columns.iter().map(|value| value.as_ref().map_or(Value::Null, to_json)).collect());
    }
    Ok(Answer { columns, rows })
}

fn to_json(value: &CqlValue) -> Value {
    match value {
        CqlValue::Ascii(text) | CqlValue::Text(text) => text.as_str().into(),
        CqlValue::Boolean(flag) => (*flag).into(),
        CqlValue::Int(n) => (*n).into(),
        CqlValue::BigInt(n) => (*n).into(),
        CqlValue::SmallInt(n) => (*n).into(),
        CqlValue::TinyInt(n) => (*n).into(),
        CqlValue::Counter(n) => n.0.into(),
        CqlValue::Float(n) => json!(n),
        CqlValue::Double(n) => json!(n),
        CqlValue::Timestamp(time) => chrono::DateTime::from_timestamp_millis(time.0).map_or_else(
            || time.0.into(),
            |time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true).into(),
        ),
        // Days since 1970 with 2^31 added.
        CqlValue::Date(date) => {
            let days = chrono::Duration::days(i64::from(date.0) - (1 << 31));
            chrono::NaiveDate::default()
                .checked_add_signed(days)
                .map_or(Value::Null, |date| date.to_string().into())
        }
        CqlValue::Uuid(uuid) => uuid.to_string().into(),
        CqlValue::List(items) | CqlValue::Set(items) => items.iter().map(to_json).collect(),
        CqlValue::Map(entries) => entries
            .iter()
            .map(|(key, value)| (key_text(key), to_json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => format!("{other:?}").into(),
    }
}

fn key_text(key: &CqlValue) -> String {
    match to_json(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
