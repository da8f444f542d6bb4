//! Avro to JSON.

use arrow::datatypes::TimeUnit;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, SecondsFormat, TimeDelta};
use serde_json::{Map, Value};

use crate::shape::Shape;
use wire::binary::{Cursor, from_twos_complement};

/// Reads one Avro value as JSON.
pub(crate) fn from_avro(shape: &Shape, bytes: &[u8]) -> Result<Value, String> {
    read(shape, &mut Cursor::new(bytes))
}

fn read(shape: &Shape, at: &mut Cursor<'_>) -> Result<Value, String> {
    Ok(match shape {
        Shape::Null => Value::Null,
        Shape::Boolean => at.boolean()?.into(),
        Shape::Int => at.int()?.into(),
        Shape::Long => at.long()?.into(),
        Shape::Float => float(at.take(4)?)?,
        Shape::Double => {
            number(f64::from_le_bytes(at.take(8)?.try_into().map_err(|_| "eight bytes expected")?))
        }
        Shape::Bytes => STANDARD.encode(at.bytes()?).into(),
        Shape::String => at.text()?.into(),
        Shape::Fixed(size) => STANDARD.encode(at.take(*size)?).into(),
        Shape::Enum(symbols) => symbols[at.index("the enum's symbols", symbols.len())?].as_str().into(),
        Shape::Date => date(at.int()?),
        Shape::TimeMillis => time(i64::from(at.int()?), 1_000_000),
        Shape::TimeMicros => time(at.long()?, 1_000),
        Shape::Timestamp { unit, utc } => instant(at.long()?, *unit, *utc),
        Shape::Decimal { scale, fixed, .. } => {
            let bytes = if let Some(size) = fixed { at.take(*size)? } else { at.bytes()? };
            decimal(
                from_twos_complement(bytes).ok_or("a decimal of more than 16 bytes")?,
                usize::try_from(*scale).unwrap_or(0),
            )
            .into()
        }
        Shape::Array(items) => {
            let mut all = Vec::new();
            entries(at, |at| {
                all.push(read(items, at)?);
                Ok(())
            })?;
            all.into()
        }
        Shape::Map(values) => {
            let mut all = Map::new();
            entries(at, |at| {
                let key = at.text()?.to_owned();
                all.insert(key, read(values, at)?);
                Ok(())
            })?;
            all.into()
        }
        Shape::Union(branches) => read(&branches[at.index("the union's branches", branches.len())?], at)?,
        Shape::Record(fields) => {
            let pairs = fields.iter().map(|f| Ok((f.name.clone(), read(&f.shape, at)?)));
            pairs.collect::<Result<Map<_, _>, String>>()?.into()
        }
    })
}

fn entries(
    at: &mut Cursor<'_>,
    mut entry: impl FnMut(&mut Cursor<'_>) -> Result<(), String>,
) -> Result<(), String> {
    loop {
        let count = at.block()?;
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            entry(at)?;
        }
    }
}

/// A float prints with its own digits: 0.1, not 0.10000000149011612.
fn float(bytes: &[u8]) -> Result<Value, String> {
    let value = f32::from_le_bytes(bytes.try_into().map_err(|_| "four bytes expected")?);
    Ok(number(value.to_string().parse().unwrap_or(f64::from(value))))
}

fn number(value: f64) -> Value {
    match value {
        v if v.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        v => v.into(),
    }
}

/// What no calendar can show stays a number.
fn date(days: i32) -> Value {
    let epoch = NaiveDate::default();
    let shift = Days::new(days.unsigned_abs().into());
    let date = if days < 0 { epoch.checked_sub_days(shift) } else { epoch.checked_add_days(shift) };
    date.map_or(days.into(), |d| d.to_string().into())
}

fn time(value: i64, nanos_per_unit: i64) -> Value {
    let nanos = value.checked_mul(nanos_per_unit).filter(|n| (0..86_400_000_000_000).contains(n));
    let Some(nanos) = nanos else { return value.into() };
    let text = (NaiveTime::MIN + TimeDelta::nanoseconds(nanos)).format("%H:%M:%S.%9f").to_string();
    text.trim_end_matches('0').trim_end_matches('.').into()
}

fn instant(value: i64, unit: TimeUnit, utc: bool) -> Value {
    let instant = match unit {
        TimeUnit::Second => DateTime::from_timestamp(value, 0),
        TimeUnit::Millisecond => DateTime::from_timestamp_millis(value),
        TimeUnit::Microsecond => DateTime::from_timestamp_micros(value),
        TimeUnit::Nanosecond => Some(DateTime::from_timestamp_nanos(value)),
    };
    let Some(instant) = instant else { return value.into() };
    let text = instant.to_rfc3339_opts(SecondsFormat::Nanos, true);
    let text = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    if utc { format!("{text}Z").into() } else { text.into() }
}

pub(super) fn decimal(unscaled: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
