//! Avro values and column types as Cassandra's. Pure.

use apache_avro::types::Value;
use cassandra::scylla::value::{CqlDate, CqlTime, CqlTimestamp, CqlValue};
use pipeline::{Column, ColumnType};

/// The CQL type of a column.
pub fn cql_type(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::Boolean => "boolean",
        ColumnType::Int => "int",
        ColumnType::Long | ColumnType::TimestampMicros => "bigint",
        ColumnType::Float => "float",
        ColumnType::Double => "double",
        ColumnType::Bytes => "blob",
        ColumnType::Uuid => "uuid",
        ColumnType::Date => "date",
        ColumnType::TimeMillis | ColumnType::TimeMicros => "time",
        ColumnType::TimestampMillis => "timestamp",
        // Nested values and decimals are kept as text, as JSON shows them.
        ColumnType::Text | ColumnType::Decimal { .. } | ColumnType::Nested => "text",
    }
}

/// A value as its column takes it.
pub fn cql(column: &Column, value: Value) -> Result<CqlValue, String> {
    Ok(match (column.kind, value) {
        (ColumnType::Boolean, Value::Boolean(flag)) => CqlValue::Boolean(flag),
        (ColumnType::Int, Value::Int(n)) => CqlValue::Int(n),
        (ColumnType::Long, Value::Long(n)) | (ColumnType::TimestampMicros, Value::TimestampMicros(n)) => {
            CqlValue::BigInt(n)
        }
        (ColumnType::Float, Value::Float(n)) => CqlValue::Float(n),
        (ColumnType::Double, Value::Double(n)) => CqlValue::Double(n),
        (ColumnType::Bytes, Value::Bytes(bytes) | Value::Fixed(_, bytes)) => CqlValue::Blob(bytes),
        (ColumnType::Uuid, Value::Uuid(uuid)) => CqlValue::Uuid(uuid),
        (ColumnType::Date, Value::Date(days)) => {
            CqlValue::Date(CqlDate((i64::from(days) + (1 << 31)) as u32))
        }
        (ColumnType::TimeMillis, Value::TimeMillis(n)) => CqlValue::Time(CqlTime(i64::from(n) * 1_000_000)),
        (ColumnType::TimeMicros, Value::TimeMicros(n)) => CqlValue::Time(CqlTime(n * 1_000)),
        (ColumnType::TimestampMillis, Value::TimestampMillis(n)) => CqlValue::Timestamp(CqlTimestamp(n)),
        (ColumnType::Text, Value::String(text) | Value::Enum(_, text)) => CqlValue::Text(text),
        (ColumnType::Decimal { scale }, Value::Decimal(decimal)) => {
            CqlValue::Text(sink::decimal(&decimal, scale).ok_or_else(|| sink::too_long(&column.name))?)
        }
        (ColumnType::Text | ColumnType::Nested, value) => CqlValue::Text(sink::text(&value).into_owned()),
        (kind, value) => {
            return Err(format!("column \"{}\" is {kind:?}, the record has {value:?}", column.name));
        }
    })
}
