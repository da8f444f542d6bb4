//! The decoder takes good records in their order, whatever stands between them.

#![allow(clippy::unwrap_used)]

use apache_avro::{Schema, types::Value, writer::datum::GenericDatumWriter};
use bytes::Bytes;
use proptest::prelude::*;
use query::{Decoder, InRecord};

const READER: &str = r#"{"type": "record", "name": "r", "fields": [
    {"name": "id", "type": "string"},
    {"name": "n", "type": ["null", "long"], "default": null},
    {"name": "kind", "type": {"type": "enum", "name": "kind", "symbols": ["a", "b"]}, "default": "a"},
    {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []}]}"#;
/// An older version: `n` was an int, and there was neither `kind` nor `tags`.
const OLDER: &str = r#"{"type": "record", "name": "r", "fields": [{"name": "id", "type": "string"}, {"name": "n", "type": "int"}]}"#;

fn body(id: &str, n: i64) -> Vec<u8> {
    let value = Value::Record(vec![
        ("id".into(), Value::String(id.into())),
        ("n".into(), Value::Union(1, Box::new(Value::Long(n)))),
        ("kind".into(), Value::Enum(1, "b".into())),
        ("tags".into(), Value::Array(vec![Value::String("x".into())])),
    ]);
    written(READER, value)
}

fn older(id: &str, n: i32) -> Vec<u8> {
    let value = Value::Record(vec![("id".into(), Value::String(id.into())), ("n".into(), Value::Int(n))]);
    written(OLDER, value)
}

fn written(schema: &str, value: Value) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(value).unwrap()
}

fn framed(id: u32, body: &[u8]) -> Option<Bytes> {
    let mut payload = vec![0];
    payload.extend(id.to_be_bytes());
    payload.extend(body);
    Some(payload.into())
}

fn records(payloads: Vec<Option<Bytes>>) -> Vec<InRecord> {
    let numbered = payloads.into_iter().zip(0..);
    numbered
        .map(|(payload, offset)| InRecord { partition: 0, offset, timestamp_ms: 0, key: None, payload })
        .collect()
}

fn decoder() -> Decoder {
    let mut decoder = Decoder::new(READER).unwrap();
    decoder.add_writer_schema(1, READER).unwrap();
    decoder.add_writer_schema(2, OLDER).unwrap();
    decoder
}

#[test]
fn a_bad_record_is_reported_and_touches_no_other() {
    let good = || framed(1, &body("good", 5));
    let cut = |from: usize| {
        let body = body("good", 5);
        framed(1, &body[..body.len() - from])
    };
    for (bad, reason) in [
        (None, "null payload"),
        (Some(Bytes::new()), "0 bytes are too short"),
        (Some(Bytes::from_static(&[0, 0, 0])), "3 bytes are too short"),
        (Some(Bytes::from_static(b"{\"id\": 1}")), "the first byte is 123"),
        (framed(1, &[]), "field id: the message is truncated"),
        (cut(1), "field tags: the message is truncated"),
        (cut(4), "field tags: the message is truncated"),
        (framed(1, &[body("good", 5), vec![7]].concat()), "1 bytes follow after the end"),
        // id "a", then index 2 of a union of two.
        (framed(1, &[2, b'a', 4, 10, 2, 0]), "field n: 2 is not an index of the union's branches"),
        (framed(1, &[2, b'a', 1, 10, 2, 0]), "field n: -1 is not an index of the union's branches"),
        (framed(1, &[2, b'a', 0, 4, 0]), "field kind: 2 is not an index of the enum's symbols"),
        (framed(1, &[2, 0xff, 0, 2, 0]), "field id: a string is not UTF-8"),
        (framed(1, &[1, b'a', 0, 2, 0]), "field id: -1 is not a length"),
        (
            framed(1, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0]),
            "field id: the message is truncated",
        ),
        (framed(2, &[2, b'a', 0xfe, 0xff, 0xff, 0xff, 0xff, 1]), "field n: 34359738367 does not fit an int"),
    ] {
        let mut decoder = decoder();
        for _ in 0..2 {
            let decoded = decoder.decode(&records(vec![good(), bad.clone(), good()]));
            assert_eq!(decoded.good.map(|b| b.num_rows()), Some(2), "{reason}");
            assert!(decoded.unknown_ids.is_empty());
            let [(1, found)] = &decoded.bad[..] else { panic!("{reason}: {:?}", decoded.bad) };
            assert!(found.contains(reason), "found {found}\nexpected {reason}");
        }
    }
}

#[test]
fn every_cut_of_a_record_is_found() {
    let whole = body("some text", 1 << 40);
    for length in 0..whole.len() {
        let decoded = decoder().decode(&records(vec![framed(1, &whole[..length])]));
        assert_eq!((decoded.good.is_none(), decoded.bad.len()), (true, 1), "cut to {length}");
    }
}

#[test]
fn no_byte_that_is_changed_brings_the_decoder_out_of_step() {
    let whole = body("text", 300);
    for (at, value) in (0..whole.len()).flat_map(|at| (0..=255).map(move |v| (at, v))) {
        let mut changed = whole.clone();
        changed[at] = value;
        let mut decoder = decoder();
        let decoded = decoder.decode(&records(vec![framed(1, &changed), framed(1, &whole)]));
        let rows = decoded.good.map_or(0, |b| b.num_rows());
        assert_eq!(rows + decoded.bad.len(), 2, "byte {at} = {value}");
        assert!(decoded.bad.iter().all(|(i, _)| *i == 0), "byte {at} = {value}: {:?}", decoded.bad);
    }
}

#[test]
fn an_unknown_schema_is_asked_for_before_anything_is_decoded() {
    let mut decoder = Decoder::new(READER).unwrap();
    let batch = records(vec![framed(7, &body("a", 1)), framed(3, &older("b", 2)), framed(7, &body("c", 3))]);
    let decoded = decoder.decode(&batch);
    assert_eq!((decoded.good.is_none(), decoded.bad.len(), decoded.unknown_ids), (true, 0, vec![3, 7]));
    decoder.add_writer_schema(7, READER).unwrap();
    decoder.refuse_writer_schema(3, "the registry has no schema 3");
    assert!(decoder.knows(7) && decoder.knows(3) && !decoder.knows(1));
    let decoded = decoder.decode(&batch);
    assert_eq!(decoded.good.map(|b| b.num_rows()), Some(2));
    assert_eq!(decoded.bad, [(1, "the registry has no schema 3".to_owned())]);
}

#[test]
fn a_schema_that_cannot_be_resolved_is_refused_by_its_id() {
    let stranger = r#"{"type": "record", "name": "r", "fields": [{"name": "n", "type": "int"}]}"#;
    let error = decoder().add_writer_schema(9, stranger).unwrap_err().to_string();
    assert!(
        error.starts_with("records of schema id 9 cannot be read as the stream declares them"),
        "{error}"
    );
    assert!(decoder().add_writer_schema(9, "{").is_err());
    assert!(Decoder::new("\"string\"").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_between_good_records_are_decoded_or_reported_and_the_good_ones_stay(
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
    ) {
        let mut payloads = vec![];
        for bytes in &noise {
            payloads.push(framed(1, bytes));
            payloads.push(framed(1, &body("good", 5)));
        }
        let decoded = decoder().decode(&records(payloads));
        let rows = decoded.good.map_or(0, |batch| batch.num_rows());
        prop_assert_eq!(rows + decoded.bad.len(), 2 * noise.len());
        prop_assert!(decoded.bad.iter().all(|(i, _)| i % 2 == 0), "{:?}", decoded.bad);
    }
}
