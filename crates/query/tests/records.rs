//! What a job does to single records: values keep their bytes, keys are made, a record that does not fit is dead alone.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use apache_avro::{
    Schema, reader::datum::GenericDatumReader, types::Value, writer::datum::GenericDatumWriter,
};
use bytes::Bytes;
use query::{Commit, DeadRow, Decoder, InRecord, Job, JobSpec, Slot, SlotError, StreamDef, compile};

fn stream(name: &str, fields: &str, key: &[&str]) -> StreamDef {
    let schema = format!(r#"{{"type": "record", "name": "{name}", "fields": [{fields}]}}"#);
    StreamDef {
        name: name.into(),
        schema,
        key: key.iter().map(|k| (*k).into()).collect(),
        ..StreamDef::default()
    }
}

fn spec(sql: &str, input: StreamDef) -> JobSpec {
    JobSpec {
        name: "job".into(),
        sql: sql.into(),
        inputs: vec![input],
        into: "out".into(),
        ..JobSpec::default()
    }
}

fn body(schema: &str, value: Vec<(&str, Value)>) -> Vec<u8> {
    let value = Value::Record(value.into_iter().map(|(n, v)| (n.to_owned(), v)).collect());
    let schema = Schema::parse_str(schema).unwrap();
    GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(value).unwrap()
}

/// Sends bodies through a job of one slot, in one batch.
fn through(job: &Job, input: &StreamDef, bodies: &[Vec<u8>]) -> Commit {
    let mut decoder = Decoder::new(&input.schema).unwrap();
    decoder.add_writer_schema(1, &input.schema).unwrap();
    let records: Vec<InRecord> =
        bodies.iter().zip(100..).map(|(body, offset)| record(body, offset)).collect();
    let mut slot = Slot::new(job).unwrap();
    slot.add_partition(&input.name, 3, None).unwrap();
    slot.push(&input.name, decoder.decode(&records).good.unwrap()).unwrap();
    slot.end();
    let commit = slot.flush().unwrap();
    let dead = commit.dead.iter().filter(|d| d.offset.is_some()).count();
    let sum = commit.taken + commit.filtered + (dead + commit.late.len()) as u64;
    assert_eq!(commit.rows_in, sum, "every record is counted once");
    commit
}

fn record(body: &[u8], offset: i64) -> InRecord {
    let payload = [&[0, 0, 0, 0, 1], body].concat().into();
    InRecord {
        partition: 3,
        offset,
        timestamp_ms: 1_000 + offset,
        key: Some(Bytes::from_static(b"the key")),
        payload: Some(payload),
    }
}

/// The outputs, read by the Avro library that wrote the inputs.
fn values(job: &Job, commit: &Commit) -> Vec<Vec<(String, Value)>> {
    let schema = Schema::parse_str(job.output_schema()).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let read = |mut payload: &[u8]| match reader.read_value(&mut payload).unwrap() {
        Value::Record(fields) => fields,
        other => panic!("{other:?}"),
    };
    commit.outputs.iter().map(|o| read(&o.payload)).collect()
}

fn some(value: Value) -> Value {
    Value::Union(1, Box::new(value))
}

#[test]
fn every_type_comes_out_as_the_bytes_that_went_in() {
    let fields = r#"
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}}, {"name": "yes", "type": "boolean"},
        {"name": "i", "type": "int"}, {"name": "l", "type": "long"}, {"name": "f", "type": "float"}, {"name": "d", "type": "double"},
        {"name": "b", "type": "bytes"}, {"name": "fx", "type": {"type": "fixed", "name": "four", "size": 4}},
        {"name": "e", "type": {"type": "enum", "name": "colour", "symbols": ["red", "green"]}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "tms", "type": {"type": "int", "logicalType": "time-millis"}}, {"name": "tus", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "us", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "a", "type": {"type": "array", "items": ["null", "int"]}}, {"name": "m", "type": {"type": "map", "values": "string"}},
        {"name": "r", "type": {"type": "record", "name": "place", "fields": [{"name": "city", "type": "string"}, {"name": "lat", "type": ["double", "null"]}]}},
        {"name": "n", "type": ["null", "string"]}, {"name": "o", "type": ["null", "long"]}"#;
    let input = stream("all", fields, &["id"]);
    let target = StreamDef { name: "out".into(), ..input.clone() };
    let job = compile(&JobSpec { target: Some(target), ..spec("SELECT * FROM \"all\" AS a", input.clone()) })
        .unwrap();
    let value = |negative: bool| {
        let sign = if negative { -1 } else { 1 };
        let number = |n: i64| Value::Long(sign * n);
        let optional = |v: Value| if negative { Value::Union(0, Box::new(Value::Null)) } else { some(v) };
        vec![
            ("id", Value::Uuid("B0F3E2A4-1111-2222-3333-444455556666".parse().unwrap())),
            ("yes", Value::Boolean(negative)),
            ("i", Value::Int(sign as i32 * 2_000_000_000)),
            ("l", number(i64::MAX)),
            ("f", Value::Float(1.5)),
            ("d", Value::Double(-0.0)),
            ("b", Value::Bytes(vec![0, 255])),
            ("fx", Value::Fixed(4, vec![1, 2, 3, 4])),
            ("e", Value::Enum(1, "green".into())),
            ("day", Value::Date(sign as i32 * 20_000)),
            ("tms", Value::TimeMillis(1)),
            ("tus", Value::TimeMicros(86_399_999_999)),
            ("ms", Value::TimestampMillis(sign * 1_700_000_000_123)),
            ("us", Value::TimestampMicros(sign * 1_700_000_000_123_456)),
            ("local", Value::LocalTimestampMillis(sign)),
            ("price", Value::Decimal(if negative { vec![0xff, 0x38] } else { vec![0, 200] }.into())),
            ("a", Value::Array(vec![some(Value::Int(1)), Value::Union(0, Box::new(Value::Null))])),
            ("m", Value::Map([("k".to_owned(), Value::String("v".into()))].into())),
            (
                "r",
                Value::Record(vec![
                    ("city".into(), Value::String("Oslo".into())),
                    (
                        "lat".into(),
                        Value::Union(
                            if negative { 1 } else { 0 },
                            Box::new(if negative { Value::Null } else { Value::Double(59.9) }),
                        ),
                    ),
                ]),
            ),
            ("n", optional(Value::String(String::new()))),
            ("o", optional(Value::Long(0))),
        ]
    };
    let bodies = [body(&input.schema, value(false)), body(&input.schema, value(true))];
    let commit = through(&job, &input, &bodies);
    assert_eq!(commit.dead, []);
    let out: Vec<&[u8]> = commit.outputs.iter().map(|o| &o.payload[..]).collect();
    assert_eq!(out, bodies);
    assert_eq!(commit.outputs[1].source, Some((3, 101)));
}

#[test]
fn kafkas_own_columns_can_be_named_and_do_not_show_in_a_star() {
    let input = stream("words", r#"{"name": "word", "type": "string"}"#, &["word"]);
    let one = body(&input.schema, vec![("word", Value::String("hi".into()))]);
    let job = compile(&spec(
        "SELECT *, _topic AS t, _partition AS p, _offset AS o, _timestamp AS at, _key AS k FROM words",
        input.clone(),
    ))
    .unwrap();
    let found = values(&job, &through(&job, &input, std::slice::from_ref(&one)));
    let expected = [
        ("word", Value::String("hi".into())),
        ("t", Value::String("words".into())),
        ("p", Value::Int(3)),
        ("o", Value::Long(100)),
        ("at", Value::TimestampMillis(1_100)),
        ("k", some(Value::String("the key".into()))),
    ];
    assert_eq!(found, [expected.map(|(n, v)| (n.to_owned(), v)).to_vec()]);
    for sql in [
        "SELECT * FROM words",
        "SELECT w.* FROM words w WHERE _offset >= 0",
        "WITH w AS (SELECT * FROM words) SELECT * FROM w",
        "SELECT * EXCEPT (_key) FROM (SELECT *, _key FROM words)",
    ] {
        let job = compile(&spec(sql, input.clone())).unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!(values(&job, &through(&job, &input, std::slice::from_ref(&one)))[0].len(), 1, "{sql}");
    }
}

#[test]
fn the_key_is_the_text_of_one_string_field_or_an_array_of_all_fields() {
    let fields = r#"{"name": "id", "type": "string"}, {"name": "n", "type": "int"}, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "x", "type": ["null", "string"]}"#;
    let input = stream("things", fields, &["id"]);
    let row = body(
        &input.schema,
        vec![
            ("id", Value::String("ä\"1".into())),
            ("n", Value::Int(7)),
            ("at", Value::TimestampMillis(1_500)),
            ("x", Value::Union(0, Box::new(Value::Null))),
        ],
    );
    let key_of = |key: &[&str]| {
        let target =
            StreamDef { name: "out".into(), key: key.iter().map(|k| (*k).into()).collect(), ..input.clone() };
        let job = compile(&JobSpec { target: Some(target), ..spec("SELECT * FROM things", input.clone()) })
            .unwrap();
        let commit = through(&job, &input, std::slice::from_ref(&row));
        commit
            .outputs
            .first()
            .map(|o| o.key.clone().map(|k| String::from_utf8(k).unwrap()))
            .ok_or(commit.dead.first().map(|d| d.reason.clone()))
    };
    assert_eq!(key_of(&[]), Ok(None));
    assert_eq!(key_of(&["id"]), Ok(Some("ä\"1".into())));
    assert_eq!(key_of(&["n"]), Ok(Some("[7]".into())));
    assert_eq!(key_of(&["at", "id"]), Ok(Some(r#"["1970-01-01T00:00:01.5Z","ä\"1"]"#.into())));
    assert_eq!(key_of(&["id", "x"]), Ok(Some(r#"["ä\"1",null]"#.into())));
    assert_eq!(key_of(&["x"]), Err(Some("field x: it is the key, and null".into())));
    // Undeclared targets keep the input's key where it is projected.
    for (sql, key) in [
        ("SELECT id AS name, n FROM things", vec!["name"]),
        ("SELECT n FROM things", vec![]),
        ("SELECT upper(id) AS id FROM things", vec![]),
    ] {
        assert_eq!(compile(&spec(sql, input.clone())).unwrap().output_key(), key, "{sql}");
    }
}

#[test]
fn a_row_that_fails_is_dead_alone() {
    let input = stream("texts", r#"{"name": "t", "type": ["null", "string"]}"#, &[]);
    let text = |t: &str| body(&input.schema, vec![("t", some(Value::String(t.into())))]);
    let mut bodies: Vec<Vec<u8>> = (0..50).map(|n| text(&n.to_string())).collect();
    bodies[17] = text("seventeen");
    bodies[30] = body(&input.schema, vec![("t", Value::Union(0, Box::new(Value::Null)))]);
    bodies[31] = text("0");
    let target = stream(
        "out",
        r#"{"name": "n", "type": "int"}, {"name": "kind", "type": {"type": "enum", "name": "k", "symbols": ["small", "big"]}}, {"name": "more", "type": "string", "default": "none"}"#,
        &[],
    );
    let sql = "SELECT 100 / CAST(t AS INT) * 1 AS n, CASE WHEN t = '40' THEN 'huge' WHEN t < '3' THEN 'small' ELSE 'big' END AS kind FROM texts WHERE t IS DISTINCT FROM '1'";
    let job = compile(&JobSpec {
        target: Some(StreamDef { schema: target.schema.replace("\"int\"", "\"long\""), ..target }),
        ..spec(sql, input.clone())
    })
    .unwrap();
    let commit = through(&job, &input, &bodies);
    let dead: Vec<(i64, &str)> = commit.dead.iter().map(|d| (d.offset.unwrap(), d.reason.as_str())).collect();
    assert_eq!(commit.filtered, 1);
    assert_eq!(commit.outputs.len(), 44);
    let expected = [
        (100, "Divide by zero"),
        (117, "Cannot cast string 'seventeen'"),
        (131, "Divide by zero"),
        (130, "field n: null, and the field of the target is not nullable"),
        (140, "field kind: \"huge\" is none of small, big"),
    ];
    assert_eq!(dead.len(), expected.len(), "{dead:?}");
    for ((offset, reason), (at, part)) in dead.iter().zip(expected) {
        assert!(*offset == at && reason.contains(part), "{offset} {reason}, expected {at} {part}");
    }
    assert!(values(&job, &commit).iter().all(|v| v[2].1 == Value::String("none".into())));
}

#[test]
fn the_dead_letter_rule_comes_first_and_says_why() {
    let input = stream(
        "ages",
        r#"{"name": "age", "type": "int"}, {"name": "name", "type": ["null", "string"]}"#,
        &[],
    );
    let row = |age, name: Option<&str>| {
        let name = name.map_or(Value::Union(0, Box::new(Value::Null)), |n| some(Value::String(n.into())));
        body(&input.schema, vec![("age", Value::Int(age)), ("name", name)])
    };
    let bodies = [row(10, None), row(-1, Some("Ada")), row(-2, None), row(30, None)];
    let rule = |reason: Option<&str>| {
        let ruled = JobSpec {
            deadletter_when: Some("age < 0".into()),
            deadletter_reason: reason.map(Into::into),
            ..spec("SELECT age FROM ages WHERE age > 20", input.clone())
        };
        through(&compile(&ruled).unwrap(), &input, &bodies)
    };
    let reasons =
        |commit: &Commit| commit.dead.iter().map(|d| (d.offset, d.reason.clone())).collect::<Vec<_>>();
    let commit = rule(Some("'age of ' || name || ' is ' || age"));
    assert_eq!(reasons(&commit), [(Some(101), "age of Ada is -1".into()), (Some(102), "age < 0".into())]);
    assert_eq!((commit.filtered, commit.outputs.len()), (1, 1));
    assert_eq!(reasons(&rule(None)), [(Some(101), "age < 0".into()), (Some(102), "age < 0".into())]);
}

#[test]
fn the_row_of_a_window_that_does_not_fit_is_dead_with_its_values() {
    let fields = r#"{"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}, {"name": "n", "type": ["null", "int"]}"#;
    let input = StreamDef { event_time: Some("at".into()), ..stream("counts", fields, &[]) };
    let target = stream(
        "out",
        r#"{"name": "window_end", "type": {"type": "long", "logicalType": "timestamp-micros"}}, {"name": "top", "type": "int"}"#,
        &[],
    );
    let sql = "SELECT window_end, max(n) AS top FROM tumble(counts, at, INTERVAL '1' SECOND) GROUP BY window_start, window_end";
    let job = compile(&JobSpec { target: Some(target), ..spec(sql, input.clone()) }).unwrap();
    let at = |micros, n: Value| body(&input.schema, vec![("at", Value::TimestampMicros(micros)), ("n", n)]);
    let null = || Value::Union(0, Box::new(Value::Null));
    let bodies =
        [at(-1, some(Value::Int(5))), at(0, null()), at(999_999, null()), at(1_000_000, some(Value::Int(7)))];
    let commit = through(&job, &input, &bodies);
    let ends: Vec<Value> = values(&job, &commit).into_iter().map(|v| v[0].1.clone()).collect();
    assert_eq!(ends, [Value::TimestampMicros(0), Value::TimestampMicros(2_000_000)]);
    let expected = DeadRow {
        input: Arc::from("counts"),
        partition: 0,
        offset: None,
        reason: "field top: null, and the field of the target is not nullable".into(),
        row: Some(r#"{"window_end":"1970-01-01T00:00:01Z","top":null}"#.into()),
    };
    assert_eq!(commit.dead, [expected]);
}

#[test]
fn a_slot_says_what_it_was_given_wrongly() {
    let input = StreamDef {
        event_time: Some("at".into()),
        ..stream(
            "counts",
            r#"{"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}"#,
            &[],
        )
    };
    let job = compile(&spec("SELECT window_end, count(*) AS n FROM tumble(counts, at, INTERVAL '1' SECOND) GROUP BY window_start, window_end", input.clone())).unwrap();
    let mut slot = Slot::new(&job).unwrap();
    assert!(matches!(slot.add_partition("other", 0, None), Err(SlotError::UnknownInput { .. })));
    assert!(matches!(slot.idle("counts", 1), Err(SlotError::UnknownPartition { partition: 1 })));
    slot.add_partition("counts", 1, None).unwrap();
    let other = (job.state_layout() ^ 1).to_be_bytes();
    assert!(matches!(
        slot.restore(1, &[&other[..], &[1; 9]].concat(), None),
        Err(SlotError::OtherLayout { .. })
    ));
    assert!(matches!(
        slot.restore(1, &job.state_layout().to_be_bytes(), None),
        Err(SlotError::BadChangelog { bytes: 8 })
    ));
    slot.flush().unwrap();
    assert!(matches!(slot.flush(), Err(SlotError::CommitOpen)));
    slot.applied();
    slot.flush().unwrap();
    fn travels<T: Send>(_: &T) {}
    travels(&slot);
    travels(&job);
}

#[test]
fn the_layout_of_state_follows_what_is_kept_and_nothing_else() {
    let input = |key: &[&str]| StreamDef {
        event_time: Some("at".into()),
        ..stream(
            "s",
            r#"{"name": "k", "type": "string"}, {"name": "n", "type": "int"}, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}"#,
            key,
        )
    };
    let job = |select: &str, size: &str, group: &str| {
        let sql = format!(
            "SELECT window_start, {select} FROM tumble(s, at, INTERVAL '{size}' SECOND) WHERE n > 0 GROUP BY window_start, window_end, {group}"
        );
        compile(&spec(&sql, input(&["k"]))).unwrap()
    };
    let base = job("k, count(*) AS a", "5", "k").state_layout();
    assert_eq!(job("count(*) + 1 AS b, k AS key", "5", "k").state_layout(), base);
    for other in [
        job("k, count(*) AS a", "6", "k"),
        job("k, count(n) AS a", "5", "k"),
        job("upper(k) AS k, count(*) AS a", "5", "upper(k)"),
    ] {
        assert_ne!(other.state_layout(), base);
    }
    assert!(!job("k, count(*) AS a", "5", "k").needs_one_slot());
    assert!(job("n, count(*) AS a", "5", "n").needs_one_slot());
    assert!(job("upper(k) AS k, count(*) AS a", "5", "upper(k)").needs_one_slot());
}
