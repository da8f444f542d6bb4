//! Records as rows, and what cannot be one. Pure but for the registry.

use crate::{Row, Target};
use kafka::Record;
use model::Incarnation;
use pipeline::Column;
use registry::{Registry, RegistryError};
use std::{collections::HashMap, sync::Arc};
use tokio::runtime::Handle;
use wire::{avro::Codec, frame};

/// Decodes records by the schema that they were written with.
pub struct Decoder {
    registry: Registry,
    columns: Vec<Column>,
    life: Incarnation,
    /// What the table wants to see.
    reader: Codec,
    writers: HashMap<u32, Result<Arc<Writer>, String>>,
}

struct Writer {
    codec: Codec,
    /// Where the table's columns stand in the record, where it was written as the table wants to see it.
    positions: Option<Vec<usize>>,
}

impl Decoder {
    pub fn new(registry: Registry, target: &Target, life: Incarnation) -> Result<Self, String> {
        let reader = Codec::parse(&target.stream.avsc).map_err(|cause| cause.to_string())?;
        Ok(Self { registry, columns: target.columns.clone(), life, reader, writers: HashMap::new() })
    }

    /// The row that a record is, or why it cannot be one; on `runtime` it asks for a schema that is not known yet. An error means that the
    /// registry is needed and away: the record must be tried again.
    pub fn row(&mut self, record: &Record, runtime: &Handle) -> Result<Result<Row, String>, RegistryError> {
        let Some(payload) = &record.payload else { return Ok(Err("the record has no value".into())) };
        let (id, body) = match frame::split(payload) {
            Ok(parts) => parts,
            Err(cause) => return Ok(Err(cause.to_string())),
        };
        let version = self.life.version(record.offset);
        let writer = match self.writers.get(&id) {
            Some(known) => known.clone(),
            None => runtime.block_on(self.learn(id))?,
        };
        Ok(writer.and_then(|writer| match writer.flat(body) {
            Some(values) => Ok(Row { values, version }),
            None => {
                let decoded =
                    writer.codec.decode_as(body, &self.reader).map_err(|cause| cause.to_string())?;
                Row::of(&self.columns, decoded, version)
            }
        }))
    }

    async fn learn(&mut self, id: u32) -> Result<Result<Arc<Writer>, String>, RegistryError> {
        let found = match self.registry.schema(id).await {
            Ok(schema) => Codec::parse(&schema)
                .map(|codec| Arc::new(Writer::new(codec, &self.reader, &self.columns)))
                .map_err(|cause| format!("schema id {id}: {cause}")),
            Err(cause) if cause.passes() => return Err(cause),
            // Not kept: the id may be registered later.
            Err(cause) => return Ok(Err(cause.to_string())),
        };
        self.writers.insert(id, found.clone());
        Ok(found)
    }
}

impl Writer {
    fn new(codec: Codec, reader: &Codec, columns: &[Column]) -> Self {
        let positions = || columns.iter().map(|column| codec.position(&column.name)).collect();
        Self { positions: if codec.schema() == reader.schema() { positions() } else { None }, codec }
    }

    /// The values of the columns, where the record is a flat one and nothing about it is odd.
    fn flat(&self, body: &[u8]) -> Option<Vec<Option<apache_avro::types::Value>>> {
        let positions = self.positions.as_ref()?;
        let mut values = self.codec.values(body)?;
        Some(positions.iter().map(|position| values[*position].take()).collect())
    }
}
