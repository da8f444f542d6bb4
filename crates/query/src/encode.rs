//! Arrow rows to Avro bodies and Kafka keys of the target stream.

mod cells;

use std::{fmt::Write as _, sync::Arc};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::*,
};
use serde_json::Value;

use crate::{json, shape::Shape};
use cells::Cells;
use wire::binary::{put_bytes, put_long, shortest};

/// Writes rows of one target: its columns are those of the batch, by position, or constants.
#[derive(Debug)]
pub(crate) struct Encoder {
    pub(crate) columns: Vec<Column>,
    /// Positions in `columns` of the fields that make the Kafka key.
    pub(crate) key: Vec<usize>,
}

/// One field of the target.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) source: Source,
}

#[derive(Debug)]
pub(crate) enum Source {
    /// A column of the batch, which has exactly the shape's Arrow type.
    Batch(usize),
    /// The field's Avro default, encoded: the SELECT does not name this field.
    Default(Vec<u8>),
}

/// One row on its way out: the key, where the target has one, and the Avro body without a header.
pub type Encoded = (Option<Vec<u8>>, Vec<u8>);

impl Encoder {
    /// Encodes every row by itself; an error is the reason why that row cannot be a record of the target.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Vec<Result<Encoded, String>> {
        let cells: Vec<Cells> = self.columns.iter().map(|column| Cells::of(column, batch)).collect();
        // The rows of a batch are of much the same length: the longest so far saves most of them from growing.
        let mut room = 16 * cells.len();
        let encode = |row| {
            let key = self.key(&cells, batch, row)?;
            let mut body = Vec::with_capacity(room);
            for cell in &cells {
                cell.put(row, &mut body).map_err(|e| format!("field {}: {e}", cell.name()))?;
            }
            room = room.max(body.len());
            Ok((key, body))
        };
        (0..batch.num_rows()).map(encode).collect()
    }

    /// The key is UTF-8 of the key field where it is one string, else a JSON array of the fields without white space.
    fn key(&self, cells: &[Cells<'_>], batch: &RecordBatch, row: usize) -> Result<Option<Vec<u8>>, String> {
        if let [only] = self.key[..]
            && let Some(text) = cells[only].text(row)
        {
            return Ok(Some(text.to_vec()));
        }
        let parts = self.key.iter().map(|i| self.key_part(*i, batch, row)).collect::<Result<Vec<_>, _>>()?;
        match &parts[..] {
            [] => Ok(None),
            [Value::String(text)] if self.is_text(self.key[0]) => Ok(Some(text.clone().into_bytes())),
            [Value::Null] if self.is_text(self.key[0]) => {
                Err(format!("field {}: it is the key, and null", self.columns[self.key[0]].name))
            }
            _ => Ok(Some(Value::Array(parts).to_string().into_bytes())),
        }
    }

    fn is_text(&self, column: usize) -> bool {
        let shape = &self.columns[column].shape;
        *shape.nullable().map_or(shape, |n| n.1) == Shape::String
    }

    /// A part of a key is the field's JSON form, by way of its Avro form: one spelling of a value everywhere.
    fn key_part(&self, i: usize, batch: &RecordBatch, row: usize) -> Result<Value, String> {
        let column = &self.columns[i];
        let mut bytes = Vec::new();
        match &column.source {
            Source::Default(default) => bytes.extend_from_slice(default),
            Source::Batch(i) => put(&column.shape, batch.column(*i), row, &mut bytes)
                .map_err(|e| format!("field {}: {e}", column.name))?,
        }
        json::from_avro(&column.shape, &bytes)
    }
}

/// Appends the value of `row`; `array` has exactly the Arrow type of `shape`.
fn put(shape: &Shape, array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
    if let Some((null, other)) = shape.nullable() {
        if array.is_null(row) {
            put_long(null as i64, out);
            return Ok(());
        }
        put_long(1 - null as i64, out);
        return put_value(other, array, row, out);
    }
    if array.is_null(row) {
        return Err("null, and the field of the target is not nullable".into());
    }
    put_value(shape, array, row, out)
}

fn put_value(shape: &Shape, array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
    match shape {
        Shape::Boolean => out.push(array.as_boolean().value(row).into()),
        Shape::Int => put_long(array.as_primitive::<Int32Type>().value(row).into(), out),
        Shape::Date => put_long(array.as_primitive::<Date32Type>().value(row).into(), out),
        Shape::TimeMillis => put_long(array.as_primitive::<Time32MillisecondType>().value(row).into(), out),
        Shape::TimeMicros => put_long(array.as_primitive::<Time64MicrosecondType>().value(row), out),
        Shape::Long => put_long(array.as_primitive::<Int64Type>().value(row), out),
        Shape::Timestamp { unit, .. } => put_long(instant(*unit, array, row), out),
        Shape::Float => out.extend(array.as_primitive::<Float32Type>().value(row).to_le_bytes()),
        Shape::Double => out.extend(array.as_primitive::<Float64Type>().value(row).to_le_bytes()),
        Shape::Bytes => put_bytes(array.as_binary::<i32>().value(row), out),
        Shape::String => put_bytes(array.as_string::<i32>().value(row).as_bytes(), out),
        Shape::Fixed(_) => out.extend_from_slice(array.as_fixed_size_binary().value(row)),
        Shape::Enum(symbols) => put_symbol(symbols, array.as_string::<i32>().value(row), out)?,
        Shape::Decimal { fixed, .. } => {
            put_decimal(array.as_primitive::<Decimal128Type>().value(row), *fixed, out)?
        }
        Shape::Array(items) => put_items(items, &array.as_list::<i32>().value(row), out)?,
        Shape::Map(values) => put_entries(values, &array.as_map().value(row), out)?,
        Shape::Record(fields) => {
            let columns = array.as_struct().columns();
            for (field, column) in fields.iter().zip(columns) {
                put(&field.shape, column, row, out).map_err(|e| format!("{}: {e}", field.name))?;
            }
        }
        Shape::Null | Shape::Union(_) => return Err("a union of several types".into()),
    }
    Ok(())
}

fn instant(unit: TimeUnit, array: &dyn Array, row: usize) -> i64 {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row),
    }
}

pub(crate) fn put_symbol(symbols: &[String], text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let index = symbols
        .iter()
        .position(|s| s == text)
        .ok_or_else(|| format!("{text:?} is none of {}", symbols.join(", ")))?;
    put_long(index as i64, out);
    Ok(())
}

pub(crate) fn put_decimal(value: i128, fixed: Option<usize>, out: &mut Vec<u8>) -> Result<(), String> {
    let bytes = shortest(value);
    let Some(size) = fixed else {
        put_bytes(&bytes, out);
        return Ok(());
    };
    let missing = size
        .checked_sub(bytes.len())
        .ok_or_else(|| format!("the decimal needs {} bytes, the fixed has {size}", bytes.len()))?;
    out.extend(std::iter::repeat_n(if value < 0 { 0xff } else { 0 }, missing));
    out.extend(bytes);
    Ok(())
}

fn put_items(shape: &Shape, items: &Arc<dyn Array>, out: &mut Vec<u8>) -> Result<(), String> {
    if !items.is_empty() {
        put_long(items.len() as i64, out);
        for i in 0..items.len() {
            put(shape, items, i, out)?;
        }
    }
    put_long(0, out);
    Ok(())
}

fn put_entries(shape: &Shape, entries: &arrow::array::StructArray, out: &mut Vec<u8>) -> Result<(), String> {
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1));
    if !entries.is_empty() {
        put_long(entries.len() as i64, out);
        for i in 0..entries.len() {
            put_bytes(keys.value(i).as_bytes(), out);
            put(shape, values, i, out)?;
        }
    }
    put_long(0, out);
    Ok(())
}

/// A row as text, for a dead letter that has no record of the input behind it.
pub(crate) fn describe(batch: &RecordBatch, row: usize) -> String {
    let mut text = String::from("{");
    for (i, (field, column)) in batch.schema().fields().iter().zip(batch.columns()).enumerate() {
        let value = arrow::util::display::array_value_to_string(column, row).unwrap_or_default();
        let value = if column.is_null(row) { Value::Null } else { Value::String(value) };
        let _ =
            write!(text, "{}{}:{value}", if i == 0 { "" } else { "," }, Value::String(field.name().clone()));
    }
    text + "}"
}
