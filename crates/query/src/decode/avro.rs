//! The Avro decoder of one writer schema, and the columns that come out of it.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::cast,
    datatypes::SchemaRef,
};
use arrow_avro::{
    reader::{Decoder as AvroDecoder, ReaderBuilder},
    schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore},
};
use serde_json::Value;

/// Rows that the decoder takes before they are flushed: 1024 was measured as the fastest.
pub(super) const DECODE_ROWS: usize = 1024;

pub(super) fn build(reader: &str, id: u32, writer: &str) -> Result<AvroDecoder, String> {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(Fingerprint::Id(id), AvroSchema::new(writer.to_owned())).map_err(|e| e.to_string())?;
    ReaderBuilder::new()
        .with_batch_size(DECODE_ROWS)
        .with_reader_schema(AvroSchema::new(reader.to_owned()))
        .with_writer_schema_store(store)
        .build_decoder()
        .map_err(|e| e.to_string())
}

/// The columns in the types that SQL sees: enums as text, for one.
pub(super) fn normal(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, String> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(Arc::clone(column))
        } else {
            cast(column, field.data_type())
        }
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| e.to_string())
}

/// Drops `uuid` from a schema: the decoder would parse such text into bytes, and change its spelling.
pub(super) fn without_uuid(schema: &str) -> Result<String, String> {
    let mut schema: Value = serde_json::from_str(schema).map_err(|e| e.to_string())?;
    drop_uuid(&mut schema);
    Ok(schema.to_string())
}

fn drop_uuid(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(drop_uuid),
        Value::Object(object) => {
            if object.get("logicalType").is_some_and(|l| l == "uuid") {
                object.shift_remove("logicalType");
            }
            for key in ["type", "items", "values", "fields"] {
                object.get_mut(key).into_iter().for_each(drop_uuid);
            }
        }
        _ => {}
    }
}
