//! Confluent-framed Avro payloads of one input stream to record batches.

mod avro;
mod columns;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, UInt32Array},
    compute::{concat_batches, take_record_batch},
    datatypes::SchemaRef,
};
use arrow_avro::reader::Decoder as AvroDecoder;
use bytes::Bytes;

use crate::{guard, shape::Shape};
use avro::{DECODE_ROWS, build, normal, without_uuid};
use columns::Flat;

/// A zero byte and the schema's id.
const HEADER_BYTES: usize = 5;

/// One record of an input partition, as Kafka delivers it.
#[derive(Debug, Clone)]
pub struct InRecord {
    pub partition: i32,
    pub offset: i64,
    /// Kafka's own time, in milliseconds after 1970.
    pub timestamp_ms: i64,
    pub key: Option<Bytes>,
    /// `None` is a tombstone.
    pub payload: Option<Bytes>,
}

/// Decoded rows and, for each of them, its place in Kafka.
#[derive(Debug, Clone)]
pub struct InBatch {
    pub(crate) rows: RecordBatch,
    pub(crate) places: Vec<Place>,
    /// The records' keys; null where one has none, or one that is not UTF-8.
    pub(crate) keys: ArrayRef,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: i64,
}

impl InBatch {
    pub fn num_rows(&self) -> usize {
        self.places.len()
    }
}

/// What became of some records.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The rows of the good records, in their order.
    pub good: Option<InBatch>,
    /// Position among the records, and why it cannot be decoded.
    pub bad: Vec<(usize, String)>,
    /// Writer schemas that must be added or refused first: then nothing was decoded, and the same records are to be given again.
    pub unknown_ids: Vec<u32>,
}

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DecoderError {
    #[error("the stream's schema cannot be read: {0}; correct the .avsc file")]
    Reader(String),
    #[error(
        "records of schema id {id} cannot be read as the stream declares them: {cause}; make the two schemas compatible"
    )]
    Writer { id: u32, cause: String },
}

/// Decodes the records of one stream: each by the schema that it was written with, into the columns that the stream declares.
pub struct Decoder {
    reader: String,
    shape: Shape,
    schema: SchemaRef,
    writers: BTreeMap<u32, Writer>,
}

enum Writer {
    Known {
        shape: Shape,
        text: String,
        decoder: Box<AvroDecoder>,
        /// Where it is the reader's schema, and a flat one.
        flat: Option<Flat>,
    },
    /// The registry does not know the id, or its schema does not fit: each record of it is bad.
    Refused(String),
}

impl Decoder {
    pub fn new(reader_schema: &str) -> Result<Self, DecoderError> {
        let shape = Shape::parse(reader_schema).map_err(DecoderError::Reader)?;
        let schema = shape.arrow_schema().map_err(DecoderError::Reader)?;
        Ok(Self {
            reader: without_uuid(reader_schema).map_err(DecoderError::Reader)?,
            shape,
            schema,
            writers: BTreeMap::new(),
        })
    }

    /// Whether records of this schema id can be decoded, or are known to be bad.
    pub fn knows(&self, id: u32) -> bool {
        self.writers.contains_key(&id)
    }

    /// Adds the schema that records of `id` were written with.
    pub fn add_writer_schema(&mut self, id: u32, schema: &str) -> Result<(), DecoderError> {
        let fail = |cause: String| DecoderError::Writer { id, cause };
        let shape = Shape::parse(schema).map_err(fail)?;
        let text = without_uuid(schema).map_err(fail)?;
        let decoder = Box::new(build(&self.reader, id, &text).map_err(fail)?);
        let flat = if shape == self.shape { Flat::of(&shape, &self.schema) } else { None };
        self.writers.insert(id, Writer::Known { shape, text, decoder, flat });
        Ok(())
    }

    /// From here on, records of `id` are bad for this reason.
    pub fn refuse_writer_schema(&mut self, id: u32, reason: &str) {
        self.writers.insert(id, Writer::Refused(reason.to_owned()));
    }

    /// Decodes what can be decoded; a bad record does not touch the others.
    pub fn decode(&mut self, records: &[InRecord]) -> Decoded {
        let mut decoded = Decoded::default();
        let mut by_writer: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut unknown = BTreeSet::new();
        for (i, record) in records.iter().enumerate() {
            match header(record) {
                Ok((id, _)) if self.knows(id) => by_writer.entry(id).or_default().push(i),
                Ok((id, _)) => drop(unknown.insert(id)),
                Err(reason) => decoded.bad.push((i, reason)),
            }
        }
        if !unknown.is_empty() {
            return Decoded { unknown_ids: unknown.into_iter().collect(), ..Decoded::default() };
        }
        let (mut rows, mut order) = (Vec::new(), Vec::new());
        for (id, positions) in by_writer {
            match self.flat(id, records, &positions) {
                Some(batch) => {
                    rows.push(batch);
                    order.extend(positions);
                }
                None => self.decode_writer(id, records, positions, &mut rows, &mut order, &mut decoded.bad),
            }
        }
        decoded.good = self.in_order(rows, order, records);
        decoded.bad.sort_unstable();
        decoded
    }

    /// The records as rows, where nothing is odd about any of them.
    fn flat(&self, id: u32, records: &[InRecord], positions: &[usize]) -> Option<RecordBatch> {
        let Some(Writer::Known { flat: Some(flat), .. }) = self.writers.get(&id) else { return None };
        flat.decode(positions.iter().map(|i| body(&records[*i])))
    }

    /// One by one through the guard, and what it lets pass to the library.
    fn decode_writer(
        &mut self,
        id: u32,
        records: &[InRecord],
        positions: Vec<usize>,
        rows: &mut Vec<RecordBatch>,
        order: &mut Vec<usize>,
        bad: &mut Vec<(usize, String)>,
    ) {
        let mut sound = Vec::with_capacity(positions.len());
        for i in positions {
            match self.inspect(id, &records[i]) {
                Ok(()) => sound.push(i),
                Err(reason) => bad.push((i, reason)),
            }
        }
        if let Some(batch) = self.flat(id, records, &sound) {
            rows.push(batch);
            return order.extend(sound);
        }
        for chunk in sound.chunks(DECODE_ROWS) {
            match self.decode_chunk(id, records, chunk) {
                Ok(batch) => {
                    rows.push(batch);
                    order.extend_from_slice(chunk);
                }
                // Whatever is odd spoils the decoder and the rows in it: a new one for each record finds the odd one out.
                Err(_) => {
                    for i in chunk {
                        match self.renew(id).and_then(|()| self.decode_chunk(id, records, &[*i])) {
                            Ok(batch) => {
                                rows.push(batch);
                                order.push(*i);
                            }
                            Err(reason) => bad.push((*i, reason)),
                        }
                    }
                    // A failed renewal is found again, and reported, by the next chunk.
                    let _ = self.renew(id);
                }
            }
        }
    }

    fn inspect(&self, id: u32, record: &InRecord) -> Result<(), String> {
        match self.writers.get(&id) {
            None => Err(format!("schema id {id} is unknown")),
            Some(Writer::Refused(reason)) => Err(reason.clone()),
            Some(Writer::Known { shape, .. }) => guard::check(shape, body(record)),
        }
    }

    fn renew(&mut self, id: u32) -> Result<(), String> {
        if let Some(Writer::Known { text, decoder, .. }) = self.writers.get_mut(&id) {
            **decoder = build(&self.reader, id, text)?;
        }
        Ok(())
    }

    fn decode_chunk(
        &mut self,
        id: u32,
        records: &[InRecord],
        chunk: &[usize],
    ) -> Result<RecordBatch, String> {
        let Some(Writer::Known { decoder, .. }) = self.writers.get_mut(&id) else {
            return Err(format!("schema id {id} is unknown"));
        };
        for i in chunk {
            let payload = records[*i].payload.as_deref().unwrap_or_default();
            let consumed = decoder.decode(payload).map_err(|e| e.to_string())?;
            if consumed != payload.len() {
                return Err(format!("{consumed} of {} bytes were read", payload.len()));
            }
        }
        match decoder.flush().map_err(|e| e.to_string())? {
            Some(batch) if batch.num_rows() == chunk.len() => normal(&batch, &self.schema),
            other => {
                Err(format!("{} rows came out of {} records", other.map_or(0, |b| b.num_rows()), chunk.len()))
            }
        }
    }

    /// Joins the batches and puts the rows back into the order of the records.
    fn in_order(
        &self,
        rows: Vec<RecordBatch>,
        mut order: Vec<usize>,
        records: &[InRecord],
    ) -> Option<InBatch> {
        if order.is_empty() {
            return None;
        }
        let mut batch = match &rows[..] {
            [one] => one.clone(),
            many => concat_batches(&self.schema, many).ok()?,
        };
        if !order.is_sorted() {
            let mut sorted: Vec<u32> = (0..order.len() as u32).collect();
            sorted.sort_unstable_by_key(|i| order[*i as usize]);
            batch = take_record_batch(&batch, &UInt32Array::from(sorted)).ok()?;
            order.sort_unstable();
        }
        let key = |i: &usize| records[*i].key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let keys = Arc::new(StringArray::from_iter(order.iter().map(key)));
        let places = order.iter().map(|i| Place::of(&records[*i])).collect();
        Some(InBatch { rows: batch, places, keys })
    }
}

impl Place {
    fn of(record: &InRecord) -> Self {
        Self { partition: record.partition, offset: record.offset, timestamp_ms: record.timestamp_ms }
    }
}

/// What follows the header; [`header`] has found one.
fn body(record: &InRecord) -> &[u8] {
    record.payload.as_deref().and_then(|payload| payload.get(HEADER_BYTES..)).unwrap_or_default()
}

fn header(record: &InRecord) -> Result<(u32, &[u8]), String> {
    match record.payload.as_deref() {
        None => Err("null payload".into()),
        Some([0, a, b, c, d, body @ ..]) => Ok((u32::from_be_bytes([*a, *b, *c, *d]), body)),
        Some(short) if short.len() < HEADER_BYTES => {
            Err(format!("{} bytes are too short for Confluent's wire format", short.len()))
        }
        Some(other) => Err(format!("the first byte is {}, not the 0 of Confluent's wire format", other[0])),
    }
}
