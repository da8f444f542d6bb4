//! What a leader sends of a partition, as records: without markers, and without what was aborted.

use super::{Part, unpack::unpack};
use crate::{KafkaError, Record, reader::header_name};
use bytes::{Buf, Bytes};
use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

/// What came of one partition.
pub struct Sent {
    pub topic: Arc<str>,
    pub partition: i32,
    /// Batches; the last may be cut off.
    pub bytes: Bytes,
    /// Aborted transactions in these batches: first offset, and whose.
    pub aborted: Vec<(i64, i64)>,
}

/// The records at and after `from`. Whether the end is reached, the caller knows.
pub fn decode(sent: Sent, from: i64) -> Result<Part, KafkaError> {
    let Sent { topic, partition, mut bytes, mut aborted } = sent;
    aborted.sort_unstable();
    let mut aborted = aborted.into_iter().peekable();
    let (mut aborting, mut part) =
        (BTreeSet::new(), Part { partition, records: vec![], next: from, end: false });
    let damaged = |at: i64, cause: &'static str| KafkaError::Refused {
        what: format!("to read {topic}/{partition} at {at}"),
        cause: format!("{cause}; move the reader's offset behind it, or restore the partition"),
    };
    while let Some(batch) = Batch::cut(&mut bytes).map_err(|cause| damaged(part.next, cause))? {
        while let Some((_, producer)) = aborted.next_if(|(first, _)| *first <= batch.last) {
            aborting.insert(producer);
        }
        match batch.kind {
            Kind::Marker { aborts: true } => drop(aborting.remove(&batch.producer)),
            Kind::Marker { aborts: false } => {}
            Kind::Transactional if aborting.contains(&batch.producer) => {}
            Kind::Transactional | Kind::Plain => {
                let read = batch.records(&topic, partition, from, &mut part.records);
                read.map_err(|cause| damaged(batch.first, cause))?;
            }
        }
        part.next = part.next.max(batch.last + 1);
    }
    Ok(part)
}

struct Batch {
    first: i64,
    /// The offset of its last record, also where compaction has removed that.
    last: i64,
    kind: Kind,
    producer: i64,
    first_ms: i64,
    /// Where the broker writes the time: the same for all.
    appended_ms: Option<i64>,
    compression: i16,
    count: i32,
    body: Bytes,
}

enum Kind {
    Plain,
    Transactional,
    Marker { aborts: bool },
}

/// Of all before a batch's records; its first two fields are not counted in its length.
const HEAD_BYTES: usize = 61;
const LENGTH_END: usize = 12;
/// What the checksum does not cover.
const CHECKED_FROM: usize = 21;

impl Batch {
    /// Takes the next batch; none where the rest is not a whole one.
    fn cut(bytes: &mut Bytes) -> Result<Option<Self>, &'static str> {
        let Some(mut length) = bytes.get(8..LENGTH_END) else { return Ok(None) };
        let Ok(length) = usize::try_from(length.get_i32()) else { return Err("a batch has no length") };
        if bytes.len() < LENGTH_END + length {
            return Ok(None);
        }
        let batch = bytes.split_to(LENGTH_END + length);
        if batch.get(16) != Some(&2) {
            return Err("a batch is of a format that Kafka has not written since 0.11");
        }
        if batch.len() < HEAD_BYTES {
            return Err("a batch is too short");
        }
        Self::open(batch).map(Some)
    }

    fn open(batch: Bytes) -> Result<Self, &'static str> {
        let mut head = &batch[..HEAD_BYTES];
        let first = head.get_i64();
        head.advance(9);
        if head.get_u32() != crc32c::crc32c(&batch[CHECKED_FROM..]) {
            return Err("a batch is damaged: its checksum is wrong");
        }
        let (attributes, last) = (head.get_i16(), first + i64::from(head.get_i32()));
        let (first_ms, max_ms, producer) = (head.get_i64(), head.get_i64(), head.get_i64());
        head.advance(6);
        let (count, body) = (head.get_i32(), batch.slice(HEAD_BYTES..));
        let kind = match (attributes & MARKER != 0, attributes & TRANSACTIONAL != 0) {
            (true, _) => Kind::Marker { aborts: is_abort(&body)? },
            (false, true) => Kind::Transactional,
            (false, false) => Kind::Plain,
        };
        let appended_ms = (attributes & APPEND_TIME != 0).then_some(max_ms);
        Ok(Self {
            first,
            last,
            kind,
            producer,
            first_ms,
            appended_ms,
            compression: attributes & COMPRESSION,
            count,
            body,
        })
    }

    fn records(
        &self,
        topic: &Arc<str>,
        partition: i32,
        from: i64,
        records: &mut Vec<Record>,
    ) -> Result<(), &'static str> {
        if self.last < from {
            return Ok(());
        }
        let body = unpack(self.compression, &self.body)?;
        let mut cursor = Cursor { body: &body, at: 0 };
        records.reserve(usize::try_from(self.count).unwrap_or(0).min(body.len() / RECORD_BYTES_MIN));
        for _ in 0..self.count {
            let raw = cursor.record()?;
            let offset = self.first + raw.offset_delta;
            if offset >= from {
                let timestamp_ms = self.appended_ms.unwrap_or(self.first_ms + raw.ms_delta);
                let Raw { key, payload, headers, .. } = raw;
                records.push(Record {
                    topic: topic.clone(),
                    partition,
                    offset,
                    timestamp_ms,
                    key,
                    payload,
                    headers,
                });
            }
        }
        Ok(())
    }
}

const COMPRESSION: i16 = 0b111;
const APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const MARKER: i16 = 1 << 5;
/// A record has seven fields, each at least a byte.
const RECORD_BYTES_MIN: usize = 7;

/// A marker is one record, whose key has a version and what it says: 0 aborts, 1 commits.
fn is_abort(body: &Bytes) -> Result<bool, &'static str> {
    let key = Cursor { body, at: 0 }.record()?.key.unwrap_or_default();
    key.get(2..4).map(|says| says == [0, 0]).ok_or("a transaction's marker says nothing")
}

/// A record as it lies in its batch.
struct Raw {
    ms_delta: i64,
    offset_delta: i64,
    key: Option<Bytes>,
    payload: Option<Bytes>,
    headers: Vec<(Cow<'static, str>, Bytes)>,
}

struct Cursor<'a> {
    body: &'a Bytes,
    at: usize,
}

const CUT_OFF: &str = "a record is cut off";

impl Cursor<'_> {
    fn record(&mut self) -> Result<Raw, &'static str> {
        let (_length, _attributes) = (self.varint()?, self.bytes(1)?);
        Ok(Raw {
            ms_delta: self.varint()?,
            offset_delta: self.varint()?,
            key: self.sized()?,
            payload: self.sized()?,
            headers: self.headers()?,
        })
    }

    fn headers(&mut self) -> Result<Vec<(Cow<'static, str>, Bytes)>, &'static str> {
        let count = usize::try_from(self.varint()?).map_err(|_| CUT_OFF)?;
        // Each takes two bytes at least.
        let mut headers = Vec::with_capacity(count.min((self.body.len() - self.at) / 2));
        for _ in 0..count {
            let name = self.sized()?.unwrap_or_default();
            let name = std::str::from_utf8(&name).map_err(|_| "a header's name is not UTF-8")?;
            headers.push((header_name(name), self.sized()?.unwrap_or_default()));
        }
        Ok(headers)
    }

    /// Bytes after their length; none where that is negative.
    fn sized(&mut self) -> Result<Option<Bytes>, &'static str> {
        let length = self.varint()?;
        usize::try_from(length).ok().map(|length| self.bytes(length)).transpose()
    }

    fn bytes(&mut self, length: usize) -> Result<Bytes, &'static str> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.body.len()).ok_or(CUT_OFF)?;
        let bytes = self.body.slice(self.at..end);
        self.at = end;
        Ok(bytes)
    }

    /// Seven bits a byte, the lowest first, zigzag.
    fn varint(&mut self) -> Result<i64, &'static str> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.body.get(self.at).ok_or(CUT_OFF)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err("a number in a record does not end")
    }
}

#[cfg(test)]
mod tests;
