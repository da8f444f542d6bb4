//! A decoded value as JSON, as people and tests read it.

use apache_avro::types::Value;
use base64::Engine;
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveTime, SecondsFormat};
use serde_json::{Map, Value as Json, json};

/// Shows a value: timestamps as RFC 3339 in UTC without trailing zeros, bytes as base64, decimals, NaN and infinities as text.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(flag) => (*flag).into(),
        Value::Int(n) => (*n).into(),
        Value::Long(n) => (*n).into(),
        Value::Float(n) => number(f64::from(*n)),
        Value::Double(n) => number(*n),
        Value::String(text) | Value::Enum(_, text) => text.as_str().into(),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => {
            base64::engine::general_purpose::STANDARD.encode(bytes).into()
        }
        Value::Union(_, inner) => to_json(inner),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            sorted.into_iter().map(|(key, value)| (key.clone(), to_json(value))).collect::<Map<_, _>>().into()
        }
        Value::Record(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), to_json(value))).collect::<Map<_, _>>().into()
        }
        // A day beyond the calendar stays the number that it is.
        Value::Date(days) => {
            NaiveDate::from_epoch_days(*days).map_or_else(|| (*days).into(), |day| day.to_string().into())
        }
        Value::BigDecimal(number) => number.to_string().into(),
        Value::TimeMillis(n) => time(i64::from(*n) * 1_000),
        Value::TimeMicros(n) => time(*n),
        Value::TimestampMillis(n) => timestamp(DateTime::from_timestamp_millis(*n), *n),
        Value::TimestampMicros(n) => timestamp(DateTime::from_timestamp_micros(*n), *n),
        Value::Uuid(uuid) => uuid.to_string().into(),
        other => format!("{other:?}").into(),
    }
}

fn number(n: f64) -> Json {
    match n {
        n if n.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        n => json!(n),
    }
}

fn time(micros: i64) -> Json {
    let time = NaiveTime::MIN + Duration::microseconds(micros);
    time.to_string().into()
}

/// A timestamp that RFC 3339 has no text for, of a year that has not four digits, stays the number that it is: so it can be sent again.
fn timestamp(instant: Option<DateTime<chrono::Utc>>, raw: i64) -> Json {
    let Some(instant) = instant.filter(|instant| (0..=9999).contains(&instant.year())) else {
        return raw.into();
    };
    let text = instant.to_rfc3339_opts(SecondsFormat::Micros, true);
    let (seconds, fraction) = text.trim_end_matches('Z').split_once('.').unwrap_or((&text, ""));
    match fraction.trim_end_matches('0') {
        "" => format!("{seconds}Z").into(),
        digits => format!("{seconds}.{digits}Z").into(),
    }
}
