//! Records of a flat schema go straight into columns. The library's way, which all others go, is the measure of what comes out.

#![allow(clippy::unwrap_used)]

use apache_avro::{Schema, types::Value, writer::datum::GenericDatumWriter};
use proptest::prelude::*;
use query::{Decoder, InRecord, Job, JobSpec, StreamDef, compile};
use std::sync::LazyLock;

const FLAT: &str = r#"{"type": "record", "name": "r", "fields": [
    {"name": "id", "type": "string"},
    {"name": "flag", "type": "boolean"},
    {"name": "small", "type": ["null", "int"]},
    {"name": "large", "type": ["long", "null"]},
    {"name": "half", "type": "float"},
    {"name": "whole", "type": ["null", "double"]},
    {"name": "raw", "type": "bytes"},
    {"name": "born", "type": {"type": "int", "logicalType": "date"}},
    {"name": "at_ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "at_us", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
    {"name": "wakes", "type": {"type": "int", "logicalType": "time-millis"}},
    {"name": "sleeps", "type": {"type": "long", "logicalType": "time-micros"}},
    {"name": "note", "type": ["string", "null"]}]}"#;

/// The same bytes on the wire; that it has a default makes it another schema, whose records go the library's way.
fn other() -> String {
    FLAT.replace(r#""name": "id", "type": "string""#, r#""name": "id", "type": "string", "default": """#)
}

type Row = (String, Option<i32>, Option<i64>, f64, Vec<u8>, Option<String>);

fn body((text, small, large, number, raw, note): &Row) -> Vec<u8> {
    let union = |index, value| Value::Union(index, Box::new(value));
    let fields = [
        ("id", Value::String(text.clone())),
        ("flag", Value::Boolean(small.is_some())),
        ("small", small.map_or(union(0, Value::Null), |n| union(1, Value::Int(n)))),
        ("large", large.map_or(union(1, Value::Null), |n| union(0, Value::Long(n)))),
        ("half", Value::Float(*number as f32)),
        ("whole", union(1, Value::Double(*number))),
        ("raw", Value::Bytes(raw.clone())),
        ("born", Value::Date(small.unwrap_or(-1))),
        ("at_ms", Value::TimestampMillis(large.unwrap_or(-1))),
        ("at_us", large.map_or(union(0, Value::Null), |n| union(1, Value::TimestampMicros(n)))),
        ("wakes", Value::TimeMillis(7)),
        ("sleeps", Value::TimeMicros(1 << 36)),
        ("note", note.clone().map_or(union(1, Value::Null), |text| union(0, Value::String(text)))),
    ];
    let schema = Schema::parse_str(FLAT).unwrap();
    let record = Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).to_vec());
    GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(record).unwrap()
}

/// Hands all columns on.
static JOB: LazyLock<Job> = LazyLock::new(|| {
    let stream = |name: &str| StreamDef {
        name: name.into(),
        schema: FLAT.into(),
        event_time: None,
        watermark_delay_ms: 0,
        key: vec!["id".into()],
    };
    let spec = JobSpec {
        sql: "SELECT * FROM flat".into(),
        inputs: vec![stream("flat")],
        into: "out".into(),
        target: Some(stream("out")),
        slots: 1,
        ..JobSpec::default()
    };
    compile(&spec).unwrap()
});

/// What came of the records: rows as they are encoded again, and what was bad.
fn outcome(bodies: &[Vec<u8>], schema: &str) -> (Vec<Vec<u8>>, Vec<(usize, String)>) {
    let records = bodies.iter().zip(0..).map(|(body, offset)| InRecord {
        partition: 0,
        offset,
        timestamp_ms: 0,
        key: None,
        payload: Some([&[0, 0, 0, 0, 1], &body[..]].concat().into()),
    });
    let mut decoder = Decoder::new(FLAT).unwrap();
    decoder.add_writer_schema(1, schema).unwrap();
    let decoded = decoder.decode(&records.collect::<Vec<_>>());
    let rows = decoded.good.map_or(vec![], |batch| JOB.encode(&JOB.work(&batch).unwrap()));
    (rows.into_iter().map(|row| row.unwrap().1).collect(), decoded.bad)
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (".{0,6}", any::<Option<i32>>(), any::<Option<i64>>(), any::<f64>());
    let row = (row, prop::collection::vec(any::<u8>(), 0..4), prop::option::of(".{0,4}"));
    prop::collection::vec(row.prop_map(|((a, b, c, d), e, f)| (a, b, c, d, e, f)), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn good_records_come_out_as_they_went_in(rows in rows()) {
        let bodies: Vec<_> = rows.iter().map(body).collect();
        prop_assert_eq!(outcome(&bodies, FLAT), (bodies.clone(), vec![]));
        prop_assert_eq!(outcome(&bodies, &other()), (bodies, vec![]));
    }

    #[test]
    fn what_is_damaged_is_told_as_on_the_other_way(
        rows in rows(),
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..4),
        cut in any::<bool>(),
    ) {
        let mut bodies: Vec<_> = rows.iter().map(body).collect();
        let damaged = &mut bodies[which.index(rows.len())];
        let at = at.index(damaged.len());
        let end = if cut { damaged.len() } else { (at + noise.len()).min(damaged.len()) };
        damaged.splice(at..end, noise);
        prop_assert_eq!(outcome(&bodies, FLAT), outcome(&bodies, &other()));
    }
}
