//! A record as a row.

use apache_avro::types::Value;
use pipeline::Column;
use std::borrow::Cow;
use wire::avro::to_json;

/// The values of a row, in the order of the target's columns, and its version.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `None` is null.
    pub values: Vec<Option<Value>>,
    /// The record's place in its topic, as one number: the same however often the record is read.
    pub version: i64,
}

impl Row {
    /// Takes the declared columns out of a record.
    pub fn of(columns: &[Column], record: Value, version: i64) -> Result<Self, String> {
        let Value::Record(mut fields) = record else { return Err("the value is not a record".into()) };
        let mut take = |column: &Column| match fields.iter_mut().find(|(name, _)| *name == column.name) {
            Some((_, value)) => Ok(not_null(std::mem::replace(value, Value::Null))),
            None => Err(format!("the record has no field \"{}\"", column.name)),
        };
        Ok(Self { values: columns.iter().map(&mut take).collect::<Result<_, _>>()?, version })
    }
}

fn not_null(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Union(_, inner) => not_null(*inner),
        other => Some(other),
    }
}

/// A value as PostgreSQL reads it from text.
pub fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) | Value::Enum(_, text) => text.into(),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => {
            format!("\\x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).into()
        }
        other => match to_json(other) {
            serde_json::Value::String(text) => text.into(),
            json => json.to_string().into(),
        },
    }
}
