//! The target's Avro schema from the columns of a SELECT.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use serde_json::{Value, json};

use crate::{check::Mentions, spec::CompileError};

/// The text of a record schema with the names, types and nullability of the columns.
pub(crate) fn avro_schema(into: &str, columns: &Schema, found: &Mentions) -> Result<Value, CompileError> {
    let record = record_name(into);
    let mut seen = HashSet::new();
    let mut fields = Vec::new();
    for (position, column) in columns.fields().iter().enumerate() {
        let name = column.name();
        let refuse = |message: String| found.at_column(CompileError::new(message), name);
        if !is_avro_name(name) {
            let message = format!("the column {name} has no name that Avro takes: write `{name} AS name`");
            return Err(found.at_position(CompileError::new(message), position));
        }
        if !seen.insert(name) {
            return Err(refuse(format!(
                "two columns are called {name}: give one of them another name with AS"
            )));
        }
        let kind = avro_type(column, &format!("{record}_{name}"))
            .map_err(|e| refuse(format!("the column {name} {e}")))?;
        fields.push(json!({"name": name, "type": kind}));
    }
    Ok(json!({"type": "record", "name": record, "fields": fields}))
}

fn record_name(into: &str) -> String {
    let name: String = into.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if is_avro_name(&name) { name } else { format!("_{name}") }
}

fn is_avro_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `path` names the records inside: a name may be defined once only in an Avro schema.
fn avro_type(field: &Field, path: &str) -> Result<Value, String> {
    let kind = plain_type(field.data_type(), path)?;
    Ok(if field.is_nullable() { json!(["null", kind]) } else { kind })
}

fn plain_type(kind: &DataType, path: &str) -> Result<Value, String> {
    Ok(match kind {
        DataType::Boolean => json!("boolean"),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            json!("int")
        }
        DataType::Int64 | DataType::UInt32 => json!("long"),
        DataType::UInt64 => {
            return Err("is an unsigned 64-bit number, which Avro lacks: CAST(… AS BIGINT)".into());
        }
        DataType::Float16 | DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => json!("string"),
        DataType::Dictionary(_, values) => plain_type(values, path)?,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => json!("bytes"),
        DataType::FixedSizeBinary(size) => json!({"type": "fixed", "name": path, "size": size}),
        DataType::Date32 | DataType::Date64 => logical("int", "date"),
        DataType::Time32(_) => logical("int", "time-millis"),
        DataType::Time64(_) => logical("long", "time-micros"),
        DataType::Timestamp(unit, zone) => timestamp(*unit, zone.is_some()),
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
        }
        DataType::List(item) | DataType::LargeList(item) => {
            json!({"type": "array", "items": avro_type(item, path)?})
        }
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|f| {
                Ok(json!({"name": f.name(), "type": avro_type(f, &format!("{path}_{}", f.name()))?}))
            });
            json!({"type": "record", "name": path, "fields": fields.collect::<Result<Vec<_>, String>>()?})
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                json!({"type": "map", "values": avro_type(&pair[1], path)?})
            }
            _ => return Err("is a map of an unknown kind".into()),
        },
        DataType::Null => {
            return Err("is always null, so it has no type: CAST(NULL AS VARCHAR), or leave it out".into());
        }
        DataType::Duration(_) | DataType::Interval(_) => {
            return Err(
                "is a length of time, which Avro lacks: take the number, as in date_part('epoch', …)".into(),
            );
        }
        other => return Err(format!("has the type {other}, which Avro lacks: CAST it to another")),
    })
}

/// Nanoseconds, which SQL's own time functions answer, become microseconds: all that the stores keep.
fn timestamp(unit: TimeUnit, utc: bool) -> Value {
    let unit = if unit == TimeUnit::Millisecond || unit == TimeUnit::Second { "millis" } else { "micros" };
    logical("long", &format!("{}timestamp-{unit}", if utc { "" } else { "local-" }))
}

fn logical(kind: &str, logical: &str) -> Value {
    json!({"type": kind, "logicalType": logical})
}
