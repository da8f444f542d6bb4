//! An Avro schema as a tree without references: what the encoder, the decoder's guard and the JSON forms walk along.

use std::sync::Arc;

use apache_avro::{
    Schema,
    schema::{InnerDecimalSchema, Name, UuidSchema},
};
use arrow::datatypes::{DataType, Field as ArrowField, Fields, Schema as ArrowSchema, SchemaRef, TimeUnit};
use serde_json::Value;

/// Deeper than any schema that a person writes; a bound, so that a walk cannot use up the stack.
const DEPTH_MAX: usize = 32;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    /// `uuid` on a string is a plain string too: it stays byte for byte what the producer wrote.
    String,
    Fixed(usize),
    Enum(Vec<String>),
    Date,
    TimeMillis,
    TimeMicros,
    Timestamp {
        unit: TimeUnit,
        utc: bool,
    },
    Decimal {
        precision: u8,
        scale: i8,
        fixed: Option<usize>,
    },
    Array(Box<Shape>),
    Map(Box<Shape>),
    Union(Vec<Shape>),
    Record(Vec<Field>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) default: Option<Value>,
}

impl Shape {
    /// Reads the text of a schema, which must be a record.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let schema = Schema::parse_str(text).map_err(|e| format!("not an Avro schema: {e}"))?;
        let Schema::Record(_) = &schema else {
            return Err("the schema of a stream is a record: {\"type\": \"record\", …}".into());
        };
        Self::build(&schema, &mut Vec::new(), 0)
    }

    fn build(schema: &Schema, named: &mut Vec<(Name, Option<Shape>)>, depth: usize) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err(format!("the schema is nested deeper than {DEPTH_MAX} levels"));
        }
        Ok(match schema {
            Schema::Null => Self::Null,
            Schema::Boolean => Self::Boolean,
            Schema::Int => Self::Int,
            Schema::Long => Self::Long,
            Schema::Float => Self::Float,
            Schema::Double => Self::Double,
            Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => Self::Bytes,
            Schema::String | Schema::Uuid(UuidSchema::String) => Self::String,
            Schema::Date => Self::Date,
            Schema::TimeMillis => Self::TimeMillis,
            Schema::TimeMicros => Self::TimeMicros,
            Schema::TimestampMillis => Self::Timestamp { unit: TimeUnit::Millisecond, utc: true },
            Schema::TimestampMicros => Self::Timestamp { unit: TimeUnit::Microsecond, utc: true },
            Schema::TimestampNanos => Self::Timestamp { unit: TimeUnit::Nanosecond, utc: true },
            Schema::LocalTimestampMillis => Self::Timestamp { unit: TimeUnit::Millisecond, utc: false },
            Schema::LocalTimestampMicros => Self::Timestamp { unit: TimeUnit::Microsecond, utc: false },
            Schema::LocalTimestampNanos => Self::Timestamp { unit: TimeUnit::Nanosecond, utc: false },
            Schema::Array(a) => Self::Array(Box::new(Self::build(&a.items, named, depth + 1)?)),
            Schema::Map(m) => Self::Map(Box::new(Self::build(&m.types, named, depth + 1)?)),
            Schema::Union(u) => Self::Union(
                u.variants().iter().map(|v| Self::build(v, named, depth + 1)).collect::<Result<_, _>>()?,
            ),
            Schema::Ref { name } => return Self::resolve(name, named),
            Schema::Record(_)
            | Schema::Enum(_)
            | Schema::Fixed(_)
            | Schema::Duration(_)
            | Schema::Decimal(_)
            | Schema::Uuid(_) => {
                return Self::build_named(schema, named, depth);
            }
        })
    }

    fn resolve(name: &Name, named: &[(Name, Option<Shape>)]) -> Result<Self, String> {
        match named.iter().find(|n| n.0 == *name) {
            Some((_, Some(shape))) => Ok(shape.clone()),
            Some((name, None)) => {
                Err(format!("the record {name} contains itself: a stream's fields cannot be recursive"))
            }
            None => Err(format!("the type {name} is not defined")),
        }
    }

    fn build_named(
        schema: &Schema,
        named: &mut Vec<(Name, Option<Shape>)>,
        depth: usize,
    ) -> Result<Self, String> {
        let place = named.len();
        let name = match schema {
            Schema::Decimal(d) => match &d.inner {
                InnerDecimalSchema::Bytes => None,
                InnerDecimalSchema::Fixed(f) => Some(&f.name),
            },
            schema => schema.name(),
        };
        if let Some(name) = name {
            named.push((name.clone(), None));
        }
        let shape = match schema {
            Schema::Record(r) => Self::Record(
                r.fields
                    .iter()
                    .map(|f| {
                        Ok(Field {
                            name: f.name.clone(),
                            shape: Self::build(&f.schema, named, depth + 1)?,
                            default: f.default.clone(),
                        })
                    })
                    .collect::<Result<_, String>>()?,
            ),
            Schema::Enum(e) => Self::Enum(e.symbols.clone()),
            Schema::Fixed(f) | Schema::Duration(f) | Schema::Uuid(UuidSchema::Fixed(f)) => {
                Self::Fixed(f.size)
            }
            Schema::Decimal(d) => Self::decimal(d)?,
            other => return Err(format!("{other:?} is not a named type")),
        };
        if name.is_some() {
            named[place].1 = Some(shape.clone());
        }
        Ok(shape)
    }

    fn decimal(d: &apache_avro::schema::DecimalSchema) -> Result<Self, String> {
        if d.precision > 38 {
            return Err(format!("decimal({}, {}): more than 38 digits", d.precision, d.scale));
        }
        let fixed = match &d.inner {
            InnerDecimalSchema::Bytes => None,
            InnerDecimalSchema::Fixed(f) => Some(f.size),
        };
        Ok(Self::Decimal { precision: d.precision as u8, scale: d.scale as i8, fixed })
    }

    /// The fields of a record; none for anything else.
    pub(crate) fn fields(&self) -> &[Field] {
        if let Self::Record(fields) = self { fields } else { &[] }
    }

    /// For a union of null and one other type: the index of null, and the other.
    pub(crate) fn nullable(&self) -> Option<(usize, &Shape)> {
        match self {
            Self::Union(v) => match &v[..] {
                [Self::Null, other] => Some((0, other)),
                [other, Self::Null] => Some((1, other)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The columns of a record, as SQL sees them.
    pub(crate) fn arrow_schema(&self) -> Result<SchemaRef, String> {
        let fields = self.fields().iter().map(|f| f.arrow()).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(ArrowSchema::new(fields)))
    }

    /// The Arrow type that stands for this shape; the encoder expects exactly it.
    pub(crate) fn arrow_type(&self) -> Result<DataType, String> {
        Ok(match self {
            Self::Null => return Err("a field that is always null".into()),
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Bytes => DataType::Binary,
            Self::String | Self::Enum(_) => DataType::Utf8,
            Self::Fixed(size) => {
                DataType::FixedSizeBinary(i32::try_from(*size).map_err(|_| "a fixed that is too large")?)
            }
            Self::Date => DataType::Date32,
            Self::TimeMillis => DataType::Time32(TimeUnit::Millisecond),
            Self::TimeMicros => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp { unit, utc } => DataType::Timestamp(*unit, utc.then(|| "+00:00".into())),
            Self::Decimal { precision, scale, .. } => DataType::Decimal128(*precision, *scale),
            Self::Array(items) => DataType::List(Arc::new(items.arrow_field("item")?)),
            Self::Map(values) => map_of(values.arrow_field("value")?),
            Self::Record(fields) => {
                DataType::Struct(fields.iter().map(|f| f.arrow()).collect::<Result<Fields, _>>()?)
            }
            Self::Union(_) => {
                match self.nullable() {
                    Some((_, other)) => other.arrow_type()?,
                    None => return Err(
                        "a union of several types: use [\"null\", TYPE], or a record with a field per type"
                            .into(),
                    ),
                }
            }
        })
    }

    pub(crate) fn arrow_field(&self, name: &str) -> Result<ArrowField, String> {
        Ok(ArrowField::new(name, self.arrow_type()?, self.nullable().is_some()))
    }
}

impl Field {
    pub(crate) fn arrow(&self) -> Result<ArrowField, String> {
        self.shape.arrow_field(&self.name).map_err(|e| format!("field {}: {e}", self.name))
    }
}

fn map_of(value: ArrowField) -> DataType {
    let entries = Fields::from(vec![ArrowField::new("key", DataType::Utf8, false), value]);
    DataType::Map(Arc::new(ArrowField::new("entries", DataType::Struct(entries), false)), false)
}
