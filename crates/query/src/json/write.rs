//! JSON to Avro.

use arrow::datatypes::TimeUnit;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::Value;

use crate::{
    encode::{put_decimal, put_symbol},
    shape::{Field, Shape},
};
use wire::binary::{put_bytes, put_long};

/// Appends `value` as Avro. An error names the field and says what was expected.
pub(crate) fn to_avro(shape: &Shape, value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    match shape {
        Shape::Null if value.is_null() => {}
        Shape::Boolean => out.push(value.as_bool().ok_or_else(|| expected("true or false", value))?.into()),
        Shape::Int => put_long(whole(value, i32::MIN.into(), i32::MAX.into())?, out),
        Shape::Long => put_long(whole(value, i64::MIN, i64::MAX)?, out),
        Shape::Float => out.extend((double(value)? as f32).to_le_bytes()),
        Shape::Double => out.extend(double(value)?.to_le_bytes()),
        Shape::Bytes => put_bytes(&base64(value)?, out),
        Shape::String => put_bytes(text(value)?.as_bytes(), out),
        Shape::Fixed(size) => put_fixed(&base64(value)?, *size, out)?,
        Shape::Enum(symbols) => put_symbol(symbols, text(value)?, out)?,
        Shape::Date => put_long(date(value)?, out),
        Shape::TimeMillis => put_long(time(value, 1_000_000)?, out),
        Shape::TimeMicros => put_long(time(value, 1_000)?, out),
        Shape::Timestamp { unit, utc } => put_long(instant(value, *unit, *utc)?, out),
        Shape::Decimal { scale, fixed, precision } => {
            put_decimal(decimal(value, *precision, *scale)?, *fixed, out)?
        }
        Shape::Array(items) => put_array(items, value, out)?,
        Shape::Map(values) => put_map(values, value, out)?,
        Shape::Union(branches) => put_union(branches, value, out)?,
        Shape::Record(fields) => put_record(fields, value, out)?,
        Shape::Null => return Err(expected("null", value)),
    }
    Ok(())
}

fn put_record(fields: &[Field], value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    let object = value.as_object().ok_or_else(|| expected("an object", value))?;
    if let Some(stranger) = object.keys().find(|k| fields.iter().all(|f| f.name != **k)) {
        let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        return Err(format!("there is no field {stranger}; the fields are {}", names.join(", ")));
    }
    for field in fields {
        match object.get(&field.name).or(field.default.as_ref()) {
            Some(value) => {
                to_avro(&field.shape, value, out).map_err(|e| format!("field {}: {e}", field.name))?
            }
            None => return Err(format!("field {} is missing and has no default", field.name)),
        }
    }
    Ok(())
}

/// Takes the first branch that fits: a union says nothing of its branch in plain JSON.
fn put_union(branches: &[Shape], value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    let before = out.len();
    let mut last = String::from("the union is empty");
    for (i, branch) in branches.iter().enumerate() {
        put_long(i as i64, out);
        match to_avro(branch, value, out) {
            Ok(()) => return Ok(()),
            Err(_) if *branch == Shape::Null => {}
            Err(error) => last = error,
        }
        out.truncate(before);
    }
    Err(last)
}

fn put_array(items: &Shape, value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    let array = value.as_array().ok_or_else(|| expected("an array", value))?;
    if !array.is_empty() {
        put_long(array.len() as i64, out);
    }
    for item in array {
        to_avro(items, item, out)?;
    }
    put_long(0, out);
    Ok(())
}

fn put_map(values: &Shape, value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    let object = value.as_object().ok_or_else(|| expected("an object", value))?;
    if !object.is_empty() {
        put_long(object.len() as i64, out);
    }
    for (key, item) in object {
        put_bytes(key.as_bytes(), out);
        to_avro(values, item, out)?;
    }
    put_long(0, out);
    Ok(())
}

fn put_fixed(bytes: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), String> {
    if bytes.len() != size {
        return Err(format!("{} bytes, the fixed has {size}", bytes.len()));
    }
    out.extend_from_slice(bytes);
    Ok(())
}

fn expected(what: &str, found: &Value) -> String {
    format!("{what} expected, found {found}")
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| expected("text", value))
}

fn whole(value: &Value, least: i64, most: i64) -> Result<i64, String> {
    value
        .as_i64()
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| expected("a whole number that fits the field", value))
}

fn double(value: &Value) -> Result<f64, String> {
    match value.as_str() {
        Some("NaN") => Ok(f64::NAN),
        Some("Infinity") => Ok(f64::INFINITY),
        Some("-Infinity") => Ok(f64::NEG_INFINITY),
        _ => {
            value.as_f64().ok_or_else(|| expected("a number, \"NaN\", \"Infinity\" or \"-Infinity\"", value))
        }
    }
}

fn base64(value: &Value) -> Result<Vec<u8>, String> {
    STANDARD.decode(text(value)?).map_err(|e| format!("not base64: {e}"))
}

fn date(value: &Value) -> Result<i64, String> {
    if value.is_i64() {
        return whole(value, i32::MIN.into(), i32::MAX.into());
    }
    let date = text(value)?.parse::<NaiveDate>().map_err(|_| expected("a date as \"2026-01-31\"", value))?;
    Ok(date.signed_duration_since(NaiveDate::default()).num_days())
}

fn time(value: &Value, nanos_per_unit: i64) -> Result<i64, String> {
    if value.is_i64() {
        return whole(value, 0, 86_400_000_000_000 / nanos_per_unit);
    }
    let time = text(value)?.parse::<NaiveTime>().map_err(|_| expected("a time as \"13:45:00\"", value))?;
    Ok(time.signed_duration_since(NaiveTime::MIN).num_nanoseconds().unwrap_or_default() / nanos_per_unit)
}

fn instant(value: &Value, unit: TimeUnit, utc: bool) -> Result<i64, String> {
    if value.is_i64() {
        return whole(value, i64::MIN, i64::MAX);
    }
    let text = text(value)?;
    let parsed = match DateTime::parse_from_rfc3339(text) {
        Ok(instant) => Some(instant.to_utc()),
        Err(_) if !utc => text.parse::<NaiveDateTime>().ok().map(|t| t.and_utc()),
        Err(_) => None,
    };
    let instant = parsed.ok_or_else(|| {
        expected("a time as \"2026-01-31T13:45:00Z\" or a whole number in the field's unit", value)
    })?;
    Ok(match unit {
        TimeUnit::Second => instant.timestamp(),
        TimeUnit::Millisecond => instant.timestamp_millis(),
        TimeUnit::Microsecond => instant.timestamp_micros(),
        TimeUnit::Nanosecond => {
            instant.timestamp_nanos_opt().ok_or_else(|| expected("a time between 1677 and 2262", value))?
        }
    })
}

fn decimal(value: &Value, precision: u8, scale: i8) -> Result<i128, String> {
    let text = text(value).map_err(|_| expected("a decimal as text", value))?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::try_from(scale).unwrap_or(0);
    if whole.is_empty()
        || fraction.len() > scale
        || !(whole.to_owned() + fraction).bytes().all(|b| b.is_ascii_digit())
    {
        return Err(expected(&format!("a decimal with at most {scale} places"), value));
    }
    let unscaled = format!("{whole}{fraction:0<scale$}");
    let unscaled: i128 = unscaled.parse().map_err(|_| expected("a decimal of at most 38 digits", value))?;
    if unscaled >= 10i128.pow(precision.into()) {
        return Err(expected(&format!("a decimal of at most {precision} digits"), value));
    }
    Ok(sign * unscaled)
}
