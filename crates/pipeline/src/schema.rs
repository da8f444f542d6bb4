//! The columns that a stream's Avro schema gives to SQL, CQL and PostgreSQL.

use crate::Stream;
use apache_avro::Schema;

/// A field as a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
    pub nullable: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Text,
    Bytes,
    Uuid,
    Date,
    /// Milliseconds since midnight.
    TimeMillis,
    TimeMicros,
    TimestampMillis,
    TimestampMicros,
    /// A number of digits of which so many are behind the point.
    Decimal {
        scale: usize,
    },
    /// Arrays, maps and records: kept as JSON.
    Nested,
}

/// The columns of a stream, in the schema's order.
pub fn columns(stream: &Stream) -> Result<Vec<Column>, String> {
    let codec = wire::avro::Codec::parse(&stream.avsc).map_err(|cause| cause.to_string())?;
    let Schema::Record(record) = codec.schema() else { return Err("the schema is not a record".into()) };
    Ok(record.fields.iter().map(|field| column(&field.name, &field.schema)).collect())
}

fn column(name: &str, schema: &Schema) -> Column {
    let (schema, nullable) = without_null(schema);
    Column { name: name.to_owned(), kind: schema.map_or(ColumnType::Nested, kind), nullable }
}

/// The only type of a union that is not null, and whether null is among them.
fn without_null(schema: &Schema) -> (Option<&Schema>, bool) {
    let Schema::Union(union) = schema else { return (Some(schema), false) };
    let mut others = union.variants().iter().filter(|branch| !matches!(branch, Schema::Null));
    let first = others.next();
    (if others.next().is_some() { None } else { first }, union.is_nullable())
}

fn kind(schema: &Schema) -> ColumnType {
    match schema {
        Schema::Boolean => ColumnType::Boolean,
        Schema::Int => ColumnType::Int,
        Schema::Long => ColumnType::Long,
        Schema::Float => ColumnType::Float,
        Schema::Double => ColumnType::Double,
        Schema::String | Schema::Enum(_) => ColumnType::Text,
        Schema::Bytes | Schema::Fixed(_) => ColumnType::Bytes,
        Schema::Uuid(_) => ColumnType::Uuid,
        Schema::Date => ColumnType::Date,
        Schema::TimeMillis => ColumnType::TimeMillis,
        Schema::TimeMicros => ColumnType::TimeMicros,
        Schema::TimestampMillis => ColumnType::TimestampMillis,
        Schema::TimestampMicros => ColumnType::TimestampMicros,
        Schema::Decimal(decimal) => ColumnType::Decimal { scale: decimal.scale },
        _ => ColumnType::Nested,
    }
}
