//! A record as a row.

use apache_avro::{Decimal, types::Value};
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

/// A decimal as people write it; none where it has more digits than 16 bytes hold, or no bytes at all.
pub fn decimal(decimal: &Decimal, scale: usize) -> Option<String> {
    let bytes: Vec<u8> = decimal.try_into().ok()?;
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
    let mut whole = [sign; 16];
    whole[16_usize.checked_sub(bytes.len())?..].copy_from_slice(&bytes);
    let unscaled = i128::from_be_bytes(whole);
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (before, behind) = digits.split_at(digits.len() - scale);
    let (minus, point) = (if unscaled < 0 { "-" } else { "" }, if scale == 0 { "" } else { "." });
    Some(format!("{minus}{before}{point}{behind}"))
}

/// What is told of a decimal that is none here.
pub fn too_long(column: &str) -> String {
    format!("column \"{column}\" has a decimal of more than 16 bytes: such are not supported")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_written_with_its_point() {
        let cases: [(&[u8], usize, Option<&str>); 7] = [
            (&[0x30, 0x39], 2, Some("123.45")),
            (&[0xff], 2, Some("-0.01")),
            (&[0x07], 3, Some("0.007")),
            (&[0x00], 0, Some("0")),
            (&[0x80], 0, Some("-128")),
            (&[], 1, None),
            (&[1; 17], 2, None),
        ];
        for (bytes, scale, expected) in cases {
            assert_eq!(decimal(&Decimal::from(bytes), scale).as_deref(), expected, "{bytes:?}");
        }
    }
}
