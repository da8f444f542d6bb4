//! Decoding a batch of records: rows, and what cannot be one. Pure but for the registry.

use crate::{Row, Target};
use kafka::Record;
use model::Incarnation;
use registry::{Registry, RegistryError};
use std::{collections::HashMap, sync::Arc};
use wire::{avro::Codec, frame};

/// Decodes records by the schema that they were written with.
pub struct Decoder {
    registry: Registry,
    /// What the table wants to see.
    reader: Codec,
    writers: HashMap<u32, Result<Arc<Codec>, String>>,
}

/// A record that cannot be a row, and why.
pub type Bad = (Record, String);

impl Decoder {
    pub fn new(registry: Registry, target: &Target) -> Result<Self, String> {
        let reader = Codec::parse(&target.stream.avsc).map_err(|cause| cause.to_string())?;
        Ok(Self { registry, reader, writers: HashMap::new() })
    }

    /// Decodes all records. An error means that the registry is needed and away: the batch must be tried again.
    pub async fn decode(
        &mut self,
        target: &Target,
        life: &Incarnation,
        records: &[Record],
    ) -> Result<(Vec<(usize, Row)>, Vec<Bad>), RegistryError> {
        let (mut rows, mut bad) = (vec![], vec![]);
        for (index, record) in records.iter().enumerate() {
            match self.row(target, life, record).await? {
                Ok(row) => rows.push((index, row)),
                Err(reason) => bad.push((record.clone(), reason)),
            }
        }
        Ok((rows, bad))
    }

    async fn row(
        &mut self,
        target: &Target,
        life: &Incarnation,
        record: &Record,
    ) -> Result<Result<Row, String>, RegistryError> {
        let Some(payload) = &record.payload else { return Ok(Err("the record has no value".into())) };
        let (id, body) = match frame::split(payload) {
            Ok(parts) => parts,
            Err(cause) => return Ok(Err(cause.to_string())),
        };
        let writer = self.writer(id).await?;
        let decoded =
            writer.and_then(|writer| writer.decode_as(body, &self.reader).map_err(|cause| cause.to_string()));
        Ok(decoded.and_then(|value| Row::of(&target.columns, value, life.version(record.offset))))
    }

    async fn writer(&mut self, id: u32) -> Result<Result<Arc<Codec>, String>, RegistryError> {
        if let Some(known) = self.writers.get(&id) {
            return Ok(known.clone());
        }
        let found = match self.registry.schema(id).await {
            Ok(schema) => {
                Codec::parse(&schema).map(Arc::new).map_err(|cause| format!("schema id {id}: {cause}"))
            }
            Err(cause) if cause.passes() => return Err(cause),
            // Not kept: the id may be registered later.
            Err(cause) => return Ok(Err(cause.to_string())),
        };
        self.writers.insert(id, found.clone());
        Ok(found)
    }
}
