use super::*;
use bytes::BytesMut;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, Record as Theirs, RecordBatchEncoder, RecordEncodeOptions,
    TimestampType,
};
use proptest::prelude::*;
use std::io;

/// As another implementation writes them.
fn record(offset: i64, producer_id: i64, marker: Option<bool>) -> Theirs {
    let (key, value) = match marker {
        Some(aborts) => (vec![0, 0, 0, u8::from(!aborts)], vec![0; 6]),
        None => (format!("key {offset}").into_bytes(), format!("value {offset}").into_bytes()),
    };
    Theirs {
        transactional: producer_id > 0,
        control: marker.is_some(),
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id,
        producer_epoch: 0,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: offset as i32,
        timestamp: 1_000_000 + offset,
        key: Some(key.into()),
        value: Some(value.into()),
        headers: [("record-id".into(), Some(format!("id {offset}").into())), ("other".into(), None)].into(),
    }
}

fn batch(records: &[Theirs], compression: Compression) -> Bytes {
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression };
    let pack = |records: &mut BytesMut, out: &mut BytesMut, compression| {
        out.extend_from_slice(&packed(records, compression));
        Ok(())
    };
    RecordBatchEncoder::encode_with_custom_compression(&mut bytes, records, &options, Some(pack)).unwrap();
    bytes.freeze()
}

fn packed(records: &[u8], compression: Compression) -> Vec<u8> {
    use io::Write;
    match compression {
        Compression::None => records.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
            encoder.write_all(records).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Snappy => snap::raw::Encoder::new().compress_vec(records).unwrap(),
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(vec![]);
            encoder.write_all(records).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => zstd::encode_all(records, 1).unwrap(),
    }
}

fn read(bytes: Bytes, aborted: Vec<(i64, i64)>, from: i64) -> Result<Part, KafkaError> {
    decode(Sent { topic: "users".into(), partition: 2, bytes, aborted }, from)
}

fn offsets(part: &Part) -> Vec<i64> {
    part.records.iter().map(|record| record.offset).collect()
}

#[test]
fn a_record_comes_as_it_was_written_however_its_batch_is_packed() {
    use Compression::*;
    for compression in [None, Gzip, Snappy, Lz4, Zstd] {
        let part =
            read(batch(&[record(7, -1, Option::None), record(8, -1, Option::None)], compression), vec![], 8)
                .unwrap();
        assert_eq!((offsets(&part), part.next), (vec![8], 9), "{compression:?}");
        let Record { topic, partition, timestamp_ms, key, payload, headers, .. } = part.records[0].clone();
        assert_eq!((&*topic, partition, timestamp_ms), ("users", 2, 1_000_008));
        assert_eq!((key, payload), (Some("key 8".into()), Some("value 8".into())));
        assert_eq!(headers, [("record-id".into(), "id 8".into()), ("other".into(), Bytes::new())]);
    }
}

#[test]
fn javas_snappy_comes_in_blocks() {
    let plain = batch(&[record(0, -1, None)], Compression::None);
    let body = &plain[HEAD_BYTES..];
    let mut blocks = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in body.chunks(10) {
        let packed = snap::raw::Encoder::new().compress_vec(block).unwrap();
        blocks.extend((packed.len() as u32).to_be_bytes());
        blocks.extend(packed);
    }
    assert_eq!(unpack(2, &blocks.into()).unwrap(), body);
}

#[test]
fn a_batch_that_was_cut_off_waits_for_the_next_answer_and_a_damaged_one_is_named() {
    let whole =
        [batch(&[record(0, -1, None)], Compression::None), batch(&[record(1, -1, None)], Compression::None)]
            .concat();
    for cut in whole.len() / 2..whole.len() {
        let part = read(Bytes::copy_from_slice(&whole[..cut]), vec![], 0).unwrap();
        assert_eq!((offsets(&part), part.next), (vec![0], 1));
    }
    let mut damaged = whole;
    *damaged.last_mut().unwrap() ^= 1;
    let refused = read(damaged.into(), vec![], 0).unwrap_err().to_string();
    assert!(refused.contains("users/2 at 1") && refused.contains("checksum"), "{refused}");
}

#[test]
fn a_bomb_is_refused() {
    let zeros = zstd::encode_all(io::Read::take(io::repeat(0), 80 << 20), 1).unwrap();
    assert!(zeros.len() < 100_000);
    assert_eq!(unpack(4, &zeros.into()), Err("a batch is larger than 64 MiB when it is unpacked"));
}

/// What a producer does next: 0 stands for one without transactions.
#[derive(Clone, Debug)]
enum Step {
    Write { producer: i64, records: usize },
    End { producer: i64, aborts: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4_i64, 1..4_usize).prop_map(|(producer, records)| Step::Write { producer, records }),
        2 => (1..4_i64, any::<bool>()).prop_map(|(producer, aborts)| Step::End { producer, aborts }),
    ]
}

/// A partition's log: its bytes, its aborted transactions, and what a reader of committed records must see.
#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    end: i64,
    open: std::collections::BTreeMap<i64, Vec<i64>>,
    aborted: Vec<(i64, i64)>,
    seen: BTreeSet<i64>,
}

impl Log {
    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Write { producer, records } => {
                let offsets: Vec<i64> = (self.end..).take(records).collect();
                self.append(&offsets, producer, None);
                match producer {
                    0 => self.seen.extend(offsets),
                    _ => self.open.entry(producer).or_default().extend(offsets),
                }
            }
            Step::End { producer, aborts } => {
                let Some(written) = self.open.remove(&producer) else { return };
                self.append(&[self.end], producer, Some(aborts));
                match aborts {
                    true => self.aborted.push((written[0], producer)),
                    false => self.seen.extend(written),
                }
            }
        }
    }

    fn append(&mut self, offsets: &[i64], producer: i64, marker: Option<bool>) {
        let records: Vec<_> = offsets.iter().map(|offset| record(*offset, producer, marker)).collect();
        self.bytes.extend(batch(&records, Compression::None));
        self.end += offsets.len() as i64;
    }
}

proptest! {
    #[test]
    fn what_was_committed_is_read_once_and_what_was_aborted_never(steps in prop::collection::vec(step(), 0..40), from in 0..20_i64) {
        let mut log = Log::default();
        steps.iter().for_each(|step| log.apply(step));
        for producer in 1..4 {
            log.apply(&Step::End { producer, aborts: false });
        }
        let from = from.min(log.end);
        let part = read(log.bytes.clone().into(), log.aborted.clone(), from).unwrap();
        let expected: Vec<i64> = log.seen.iter().copied().filter(|offset| *offset >= from).collect();
        prop_assert_eq!(offsets(&part), expected);
        prop_assert_eq!(part.next, log.end);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), good in 0..200_usize) {
        let mut sent = batch(&[record(0, 1, None), record(1, 1, None)], Compression::None)[..].to_vec();
        sent.truncate(good);
        sent.extend(bytes);
        let _ = read(sent.into(), vec![], 0);
    }
}
