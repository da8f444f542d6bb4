//! A schema as the encoder walks it: names resolved, logical types told apart, defaults encoded beforehand.

use super::{SchemaError, encode};
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, RecordSchema, Schema, UuidSchema};

/// A record and what is in it.
#[derive(Debug)]
pub(super) struct Plan {
    pub fields: Vec<Field>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub name: String,
    pub node: Node,
    /// The encoded default, written where the record does not have the field.
    pub default: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Bytes,
    Fixed(usize),
    Uuid,
    Date,
    TimeMillis,
    TimeMicros,
    TimestampMillis,
    TimestampMicros,
    Decimal { precision: usize, scale: usize, fixed: Option<usize> },
    Enum(Vec<String>),
    Array(Box<Node>),
    Map(Box<Node>),
    Union(Vec<Node>),
    Record(Plan),
}

impl Plan {
    pub fn of(schema: &Schema) -> Result<Self, SchemaError> {
        match schema {
            Schema::Record(record) => Self::record(record),
            other => {
                Err(SchemaError::NotARecord(format!("{:?}", apache_avro::schema::SchemaKind::from(other))))
            }
        }
    }

    fn record(record: &RecordSchema) -> Result<Self, SchemaError> {
        let fields = record.fields.iter().map(|field| {
            let node = Node::of(&field.name, &field.schema)?;
            let default =
                field.default.as_ref().and_then(|value| encode::default_bytes(&node, &value.into()));
            Ok(Field { name: field.name.clone(), node, default })
        });
        Ok(Self { fields: fields.collect::<Result<_, _>>()? })
    }
}

impl Node {
    fn of(field: &str, schema: &Schema) -> Result<Self, SchemaError> {
        let inner = |schema: &Schema| Node::of(field, schema);
        Ok(match schema {
            Schema::Null => Node::Null,
            Schema::Boolean => Node::Boolean,
            Schema::Int => Node::Int,
            Schema::Long => Node::Long,
            Schema::Float => Node::Float,
            Schema::Double => Node::Double,
            Schema::Bytes => Node::Bytes,
            Schema::String => Node::String,
            Schema::Fixed(fixed) => Node::Fixed(fixed.size),
            Schema::Uuid(UuidSchema::String) => Node::Uuid,
            Schema::Date => Node::Date,
            Schema::TimeMillis => Node::TimeMillis,
            Schema::TimeMicros => Node::TimeMicros,
            Schema::TimestampMillis => Node::TimestampMillis,
            Schema::TimestampMicros => Node::TimestampMicros,
            Schema::Decimal(decimal) => Self::decimal(decimal),
            Schema::Enum(symbols) => Node::Enum(symbols.symbols.clone()),
            Schema::Array(array) => Node::Array(Box::new(inner(&array.items)?)),
            Schema::Map(map) => Node::Map(Box::new(inner(&map.types)?)),
            Schema::Union(union) => {
                Node::Union(union.variants().iter().map(inner).collect::<Result<_, _>>()?)
            }
            Schema::Record(record) => Node::Record(Plan::record(record)?),
            other => {
                let found = format!("{:?}", apache_avro::schema::SchemaKind::from(other));
                return Err(SchemaError::Unsupported { field: field.to_owned(), found });
            }
        })
    }

    fn decimal(decimal: &DecimalSchema) -> Self {
        let fixed = match &decimal.inner {
            InnerDecimalSchema::Bytes => None,
            InnerDecimalSchema::Fixed(fixed) => Some(fixed.size),
        };
        Node::Decimal { precision: decimal.precision, scale: decimal.scale, fixed }
    }
}
