//! A column of a flat record, value by value.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BinaryArray, BooleanArray, GenericByteArray, PrimitiveArray, StringArray},
    buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::*,
};

use crate::shape::Shape;
use wire::binary::Cursor;

/// How a value lies in the record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
}

impl Kind {
    pub(super) fn of(shape: &Shape) -> Option<Self> {
        Some(match shape {
            Shape::Boolean => Self::Boolean,
            Shape::Int | Shape::Date | Shape::TimeMillis => Self::Int,
            Shape::Long | Shape::TimeMicros | Shape::Timestamp { .. } => Self::Long,
            Shape::Float => Self::Float,
            Shape::Double => Self::Double,
            Shape::Bytes => Self::Bytes,
            Shape::String => Self::String,
            _ => return None,
        })
    }
}

/// A column on its way.
pub(super) struct Column {
    /// The index of null in the field's union, where it is one.
    null: Option<usize>,
    valid: Vec<bool>,
    values: Values,
}

enum Values {
    Boolean(Vec<bool>),
    Int(Vec<i32>),
    Long(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    /// Ends of values, and all their bytes; whether these must be UTF-8.
    Bytes(Vec<i32>, Vec<u8>, bool),
}

impl Column {
    pub(super) fn new(kind: Kind, null: Option<usize>, rows: usize, bytes: usize) -> Self {
        let values = match kind {
            Kind::Boolean => Values::Boolean(Vec::with_capacity(rows)),
            Kind::Int => Values::Int(Vec::with_capacity(rows)),
            Kind::Long => Values::Long(Vec::with_capacity(rows)),
            Kind::Float => Values::Float(Vec::with_capacity(rows)),
            Kind::Double => Values::Double(Vec::with_capacity(rows)),
            Kind::Bytes | Kind::String => {
                let mut ends = Vec::with_capacity(rows + 1);
                ends.push(0);
                Values::Bytes(ends, Vec::with_capacity(bytes), kind == Kind::String)
            }
        };
        Self { null, valid: Vec::with_capacity(if null.is_some() { rows } else { 0 }), values }
    }

    /// Appends the next value of the record.
    #[inline]
    pub(super) fn read(&mut self, at: &mut Cursor<'_>) -> Result<(), String> {
        if let Some(null) = self.null {
            let valid = at.index("the union's branches", 2)? != null;
            self.valid.push(valid);
            if !valid {
                self.values.put_null();
                return Ok(());
            }
        }
        self.values.read(at)
    }

    pub(super) fn finish(self, kind: &DataType) -> Option<ArrayRef> {
        let nulls = self.valid.contains(&false).then(|| NullBuffer::from(self.valid));
        self.values.finish(nulls, kind)
    }
}

impl Values {
    #[inline]
    fn read(&mut self, at: &mut Cursor<'_>) -> Result<(), String> {
        match self {
            Self::Boolean(values) => values.push(at.boolean()?),
            Self::Int(values) => values.push(at.int()?),
            Self::Long(values) => values.push(at.long()?),
            Self::Float(values) => values.push(f32::from_le_bytes(at.array()?)),
            Self::Double(values) => values.push(f64::from_le_bytes(at.array()?)),
            Self::Bytes(ends, bytes, _) => {
                bytes.extend_from_slice(at.bytes()?);
                ends.push(i32::try_from(bytes.len()).map_err(|_| "more bytes than a column takes")?);
            }
        }
        Ok(())
    }

    fn put_null(&mut self) {
        match self {
            Self::Boolean(values) => values.push(false),
            Self::Int(values) => values.push(0),
            Self::Long(values) => values.push(0),
            Self::Float(values) => values.push(0.0),
            Self::Double(values) => values.push(0.0),
            Self::Bytes(ends, ..) => ends.extend_from_within(ends.len() - 1..),
        }
    }

    fn finish(self, nulls: Option<NullBuffer>, kind: &DataType) -> Option<ArrayRef> {
        Some(match (self, kind) {
            (Self::Boolean(values), _) => Arc::new(BooleanArray::new(values.into(), nulls)),
            (Self::Int(values), DataType::Int32) => numbers::<Int32Type>(values, nulls, kind),
            (Self::Int(values), DataType::Date32) => numbers::<Date32Type>(values, nulls, kind),
            (Self::Int(values), DataType::Time32(TimeUnit::Millisecond)) => {
                numbers::<Time32MillisecondType>(values, nulls, kind)
            }
            (Self::Long(values), DataType::Int64) => numbers::<Int64Type>(values, nulls, kind),
            (Self::Long(values), DataType::Time64(TimeUnit::Microsecond)) => {
                numbers::<Time64MicrosecondType>(values, nulls, kind)
            }
            (Self::Long(values), DataType::Timestamp(unit, _)) => match unit {
                TimeUnit::Second => numbers::<TimestampSecondType>(values, nulls, kind),
                TimeUnit::Millisecond => numbers::<TimestampMillisecondType>(values, nulls, kind),
                TimeUnit::Microsecond => numbers::<TimestampMicrosecondType>(values, nulls, kind),
                TimeUnit::Nanosecond => numbers::<TimestampNanosecondType>(values, nulls, kind),
            },
            (Self::Float(values), DataType::Float32) => numbers::<Float32Type>(values, nulls, kind),
            (Self::Double(values), DataType::Float64) => numbers::<Float64Type>(values, nulls, kind),
            // All texts at once, and that none of them begins or ends inside a character.
            (Self::Bytes(ends, bytes, true), DataType::Utf8) => {
                Arc::new(sized(ends, bytes, nulls, StringArray::try_new).ok()?)
            }
            (Self::Bytes(ends, bytes, false), DataType::Binary) => {
                Arc::new(sized(ends, bytes, nulls, BinaryArray::try_new).ok()?)
            }
            _ => return None,
        })
    }
}

fn numbers<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    kind: &DataType,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(kind.clone()))
}

fn sized<T: ByteArrayType<Offset = i32>, E>(
    ends: Vec<i32>,
    bytes: Vec<u8>,
    nulls: Option<NullBuffer>,
    array: impl FnOnce(OffsetBuffer<i32>, Buffer, Option<NullBuffer>) -> Result<GenericByteArray<T>, E>,
) -> Result<GenericByteArray<T>, E> {
    array(OffsetBuffer::new(ScalarBuffer::from(ends)), Buffer::from_vec(bytes), nulls)
}
