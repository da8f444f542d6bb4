//! From a source's record to ours, by the allow-list of fields. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use pipeline::{Field, FieldFrom, FieldType};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The name space of ids that are made of a record's values. It never changes: another one is another id for every record.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d69_6c6c_7261_6365_5f72_6563_6f72_6473);

/// Makes the record that is sent: the fields that the source names, and no others. A field whose value is missing is left out.
pub fn shape(
    record: &Value,
    fields: &BTreeMap<String, Field>,
    fetched_at: DateTime<Utc>,
) -> Map<String, Value> {
    let made = |field: &Field| Some(convert(take(record, &field.from, fetched_at)?, field.as_type));
    fields.iter().filter_map(|(name, field)| Some((name.clone(), made(field)?))).collect()
}

/// The id of a shaped record: its key in the stream. `None` where a part of it is missing; the producer refuses such a record.
pub fn id(record: &Map<String, Value>, key: &[String]) -> Option<String> {
    let values: Option<Vec<&Value>> =
        key.iter().map(|field| record.get(field).filter(|value| !value.is_null())).collect();
    String::from_utf8(wire::key::key(&values?)).ok()
}

fn take(record: &Value, from: &FieldFrom, fetched_at: DateTime<Utc>) -> Option<Value> {
    match from {
        FieldFrom::Pointer(pointer) => record.pointer(pointer).cloned(),
        FieldFrom::Template(template) => Some(render(record, template, fetched_at)),
        FieldFrom::Uuid5(pointers) => uuid5(record, pointers),
    }
}

/// Fills `{/json/pointer}` and `{fetched_at}`; other braces stay. Null where it has pointers and none of them has a value.
fn render(record: &Value, template: &str, fetched_at: DateTime<Utc>) -> Value {
    let (mut text, mut rest) = (String::new(), template);
    let (mut pointers, mut found) = (0, 0);
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        match after.split_once('}') {
            Some(("fetched_at", after)) => {
                text.push_str(&fetched_at.to_rfc3339_opts(SecondsFormat::Millis, true));
                rest = after;
            }
            Some((pointer, after)) if pointer.starts_with('/') => {
                pointers += 1;
                if let Some(value) = record.pointer(pointer).filter(|value| !value.is_null()) {
                    found += 1;
                    text.push_str(&as_text(value));
                }
                rest = after;
            }
            _ => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    if pointers > 0 && found == 0 { Value::Null } else { text.into() }
}

/// An id over the values, in this order. `None` where all are missing: such records would all have the same id.
fn uuid5(record: &Value, pointers: &[String]) -> Option<Value> {
    let values: Vec<Value> =
        pointers.iter().map(|pointer| record.pointer(pointer).map(sorted).unwrap_or_default()).collect();
    if values.iter().all(Value::is_null) {
        return None;
    }
    let name = serde_json::to_vec(&values).unwrap_or_default();
    Some(Uuid::new_v5(&NAMESPACE, &name).to_string().into())
}

/// The value with the keys of its objects in order: a source may give them in another order each time.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), sorted(value)))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Converts where that is possible without a guess. What does not fit stays as it is: the producer then says why.
fn convert(value: Value, to: FieldType) -> Value {
    let converted = match (&value, to) {
        (Value::Null, _) | (_, FieldType::Same) => None,
        (_, FieldType::String) => Some(as_text(&value).into()),
        (Value::String(text), FieldType::Timestamp) => {
            DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis().into())
        }
        (Value::String(text), FieldType::Integer) => text.trim().parse::<i64>().ok().map(Value::from),
        (Value::Number(number), FieldType::Integer) => {
            number.as_f64().filter(|_| number.is_f64()).and_then(whole).map(Value::from)
        }
        (Value::String(text), FieldType::Number) => {
            text.trim().parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from)
        }
        _ => None,
    };
    converted.unwrap_or(value)
}

/// A number without a fraction that an `i64` holds exactly.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
