//! A field of the target over a whole batch: of what type its values are is found once, and not once a row.

use arrow::{
    array::{Array, AsArray, GenericByteArray, RecordBatch},
    buffer::{BooleanBuffer, NullBuffer},
    datatypes::*,
};

use super::{Column, Source, put_value};
use crate::shape::Shape;
use wire::binary::{put_bytes, put_long};

/// The values of one field.
pub(super) struct Cells<'a> {
    column: &'a Column,
    /// The index of null in the field's union, where it is one.
    null: Option<usize>,
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    /// The same bytes in every row.
    Default(&'a [u8]),
    Boolean(&'a BooleanBuffer),
    Int(&'a [i32]),
    Long(&'a [i64]),
    Float(&'a [f32]),
    Double(&'a [f64]),
    /// Where values end, and all their bytes.
    Bytes(&'a [i32], &'a [u8]),
    /// What must be looked into for each row.
    Other(&'a Shape, &'a dyn Array),
}

impl<'a> Cells<'a> {
    pub(super) fn of(column: &'a Column, batch: &'a RecordBatch) -> Self {
        let (null, shape) =
            column.shape.nullable().map_or((None, &column.shape), |(null, other)| (Some(null), other));
        match &column.source {
            Source::Default(bytes) => Self { column, null, nulls: None, values: Values::Default(bytes) },
            Source::Batch(i) => {
                let array = &**batch.column(*i);
                Self { column, null, nulls: array.nulls(), values: Values::of(shape, array) }
            }
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.column.name
    }

    /// The value, where it is plain text.
    pub(super) fn text(&self, row: usize) -> Option<&'a [u8]> {
        match self.values {
            Values::Bytes(ends, bytes) if self.is_text() && !self.is_null(row) => {
                Some(between(ends, bytes, row))
            }
            _ => None,
        }
    }

    fn is_text(&self) -> bool {
        let shape = &self.column.shape;
        *shape.nullable().map_or(shape, |(_, other)| other) == Shape::String
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the value of `row`.
    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if let Values::Default(bytes) = self.values {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        match (self.null, self.is_null(row)) {
            (Some(null), true) => {
                put_long(null as i64, out);
                return Ok(());
            }
            (None, true) => return Err("null, and the field of the target is not nullable".into()),
            (Some(null), false) => put_long(1 - null as i64, out),
            (None, false) => {}
        }
        self.values.put(row, out)
    }
}

impl<'a> Values<'a> {
    fn of(shape: &'a Shape, array: &'a dyn Array) -> Self {
        match shape {
            Shape::Boolean => Self::Boolean(array.as_boolean().values()),
            Shape::Int => Self::Int(array.as_primitive::<Int32Type>().values()),
            Shape::Date => Self::Int(array.as_primitive::<Date32Type>().values()),
            Shape::TimeMillis => Self::Int(array.as_primitive::<Time32MillisecondType>().values()),
            Shape::TimeMicros => Self::Long(array.as_primitive::<Time64MicrosecondType>().values()),
            Shape::Long => Self::Long(array.as_primitive::<Int64Type>().values()),
            Shape::Timestamp { unit, .. } => Self::Long(match unit {
                TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
                TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
                TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
                TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
            }),
            Shape::Float => Self::Float(array.as_primitive::<Float32Type>().values()),
            Shape::Double => Self::Double(array.as_primitive::<Float64Type>().values()),
            Shape::Bytes => Self::sized(array.as_binary::<i32>()),
            Shape::String => Self::sized(array.as_string::<i32>()),
            _ => Self::Other(shape, array),
        }
    }

    fn sized<T: ByteArrayType<Offset = i32>>(array: &'a GenericByteArray<T>) -> Self {
        Self::Bytes(array.value_offsets(), array.value_data())
    }

    fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Default(bytes) => out.extend_from_slice(bytes),
            Self::Boolean(values) => out.push(values.value(row).into()),
            Self::Int(values) => put_long(values[row].into(), out),
            Self::Long(values) => put_long(values[row], out),
            Self::Float(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Self::Double(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Self::Bytes(ends, bytes) => put_bytes(between(ends, bytes, row), out),
            Self::Other(shape, array) => put_value(shape, *array, row, out)?,
        }
        Ok(())
    }
}

fn between<'a>(ends: &[i32], bytes: &'a [u8], row: usize) -> &'a [u8] {
    &bytes[ends[row] as usize..ends[row + 1] as usize]
}
