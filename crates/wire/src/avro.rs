//! Avro bodies: from JSON by a schema, and back to JSON.

mod encode;
mod flat;
mod json;
mod plan;

pub use encode::Refusal;
pub use json::to_json;

use crate::record::Json;
use apache_avro::{Schema, reader::datum::GenericDatumReader, types::Value};
use plan::Plan;

/// No single string, array or map in a body may claim more: a length is data from outside.
pub const ALLOCATION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A record schema, ready to encode and decode.
///
/// Encoding is ours: it goes from JSON to bytes in one pass and names the field that does not fit. Decoding is
/// `apache_avro`'s, so that each is the other's test.
#[derive(Debug)]
pub struct Codec {
    schema: Schema,
    plan: Plan,
    is_flat: bool,
}

/// Why a text is not a schema for a stream.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("not an Avro schema: {0}")]
    Malformed(String),
    #[error("a stream's schema must be a record, this is {0}")]
    NotARecord(String),
    #[error("field \"{field}\": the Avro type {found} is not supported in a stream")]
    Unsupported { field: String, found: String },
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum DecodeError {
    #[error("the Avro body does not fit its schema: {0}")]
    Body(String),
    #[error("{extra} bytes are left over after the record")]
    TrailingBytes { extra: usize },
}

impl Codec {
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        apache_avro::util::max_allocation_bytes(ALLOCATION_BYTES_MAX);
        let schema = Schema::parse_str(text).map_err(|cause| SchemaError::Malformed(cause.to_string()))?;
        let plan = Plan::of(&schema)?;
        Ok(Self { is_flat: plan.is_flat(), schema, plan })
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The one spelling of the schema that is sent to a registry: other white space would be another id there.
    pub fn canonical(&self) -> String {
        serde_json::to_string(&self.schema).unwrap_or_default()
    }

    /// Whether a field is plain text.
    pub fn is_text(&self, field: &str) -> bool {
        self.plan.fields.iter().any(|known| known.name == field && matches!(known.node, plan::Node::String))
    }

    /// Appends the Avro body of a JSON object to `out`. On a refusal `out` is as it was.
    pub fn encode(&self, record: &serde_json::Value, out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.encode_json(&record.into(), out)
    }

    /// [`Codec::encode`] of a record as it came.
    pub fn encode_json(&self, record: &Json<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let before = out.len();
        self.plan.encode(record, out).inspect_err(|_| out.truncate(before))
    }

    /// Reads a body that was written with this schema.
    pub fn decode(&self, body: &[u8]) -> Result<Value, DecodeError> {
        self.read(body, None)
    }

    /// Where a field stands in the schema.
    pub fn position(&self, field: &str) -> Option<usize> {
        self.plan.fields.iter().position(|known| known.name == field)
    }

    /// The values of a record without records, lists or maps in it, in the order of the schema; `None` for null. Answers nothing
    /// where the schema is another, or anything about the body is odd: what, [`Codec::decode`] says.
    pub fn values(&self, body: &[u8]) -> Option<Vec<Option<Value>>> {
        if self.is_flat { self.plan.values(body) } else { None }
    }

    /// Reads a body that was written with this schema as the record that `reader` describes.
    pub fn decode_as(&self, body: &[u8], reader: &Codec) -> Result<Value, DecodeError> {
        self.read(body, (self.schema != reader.schema).then_some(&reader.schema))
    }

    fn read(&self, body: &[u8], reader: Option<&Schema>) -> Result<Value, DecodeError> {
        let fail = |cause: apache_avro::Error| DecodeError::Body(cause.to_string());
        let mut rest = body;
        let datum = GenericDatumReader::builder(&self.schema).build().map_err(fail)?;
        let value = datum.read_value(&mut rest).map_err(fail)?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes { extra: rest.len() });
        }
        // The library reads text that ends too early as null.
        if !value.validate(&self.schema) {
            return Err(DecodeError::Body("it ends too early".into()));
        }
        match reader {
            Some(reader) => value.resolve(reader).map_err(fail),
            None => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests;
