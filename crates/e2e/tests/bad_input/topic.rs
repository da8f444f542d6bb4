//! What is on a topic that others than our producer wrote to: the doors of a job and of both sinks.

use crate::{GROWTH_MIB_MAX, SCHEMA, doors, first_good, good};
use e2e::{Letters, Memory, World};
use kafka::{Outgoing, Polled, RECORD_ID, Reader, Sender, Start};
use serde_json::json;
use std::time::Duration;
use test_support::{eventually, unique};
use wire::{avro::Codec, frame};

/// Name, payload, and a part of the reason that each door gives; `None` where the record is good there.
struct Case {
    name: &'static str,
    payload: Option<Vec<u8>>,
    job: Option<&'static str>,
    cassandra: Option<&'static str>,
    postgres: Option<&'static str>,
}

/// `id` and `other` are schema ids: the stream's own, and one of another record.
fn cases(id: u32, other: u32) -> Vec<Case> {
    let codec = Codec::parse(SCHEMA).unwrap();
    let body = |record: serde_json::Value| {
        let mut body = vec![];
        codec.encode(&record, &mut body).unwrap();
        body
    };
    let avro = |record| [&frame::header(id)[..], &body(record)].concat();
    let framed = |bytes: &[u8]| [&frame::header(id)[..], bytes].concat();
    let whole = body(json!({"id": "x", "n": 1, "text": "å", "at": 0}));
    let all = |name, payload: Vec<u8>, job, sinks| Case {
        name,
        payload: Some(payload),
        job: Some(job),
        cassandra: Some(sinks),
        postgres: Some(sinks),
    };
    let avro_says = "Avro body";
    vec![
        Case { payload: None, ..all("a tombstone", vec![], "null payload", "the record has no value") },
        all("no bytes", vec![], "too short", "too few"),
        all("three bytes", vec![0, 0, 0], "too short", "too few"),
        all("JSON", good("x").into_bytes(), "the first byte is 123", "the first byte is 0x7b"),
        all(
            "a wrong magic byte",
            [&[1], &framed(&whole)[1..]].concat(),
            "the first byte is 1",
            "the first byte is 0x01",
        ),
        all(
            "an unknown schema",
            [&frame::header(987_654_321)[..], &whole].concat(),
            "987654321",
            "987654321",
        ),
        all(
            "another record's schema",
            [&frame::header(other)[..], &[2]].concat(),
            "cannot be read as",
            "Missing field in record",
        ),
        all("no body", framed(&[]), "field id: the message is truncated", avro_says),
        all(
            "half a body",
            framed(&whole[..whole.len() / 2]),
            "field text: the message is truncated",
            avro_says,
        ),
        all(
            "a body and more",
            framed(&[&whole[..], b"more"].concat()),
            "4 bytes follow",
            "4 bytes are left over",
        ),
        // id "x", n 1, then the union's index.
        all(
            "a bad union index",
            framed(&[2, b'x', 2, 4, 0]),
            "field text: 2 is not an index",
            "Union index 2",
        ),
        all(
            "a negative union index",
            framed(&[2, b'x', 2, 1, 0]),
            "field text: -1 is not an index",
            "i64 to usize: -1",
        ),
        all("invalid UTF-8", framed(&[2, 0xff, 2, 0, 0]), "field id: a string is not UTF-8", "Invalid utf-8"),
        all(
            "a text of 2^40 bytes",
            framed(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x40, b'x']),
            "1099511627776 bytes expected",
            "allocate 1099511627776 bytes",
        ),
        all(
            "a text of -1 bytes",
            framed(&[1, b'x', 2, 0, 0]),
            "field id: -1 is not a length",
            "i64 to usize: -1",
        ),
        all(
            "a number that does not end",
            framed(&[0xff; 40]),
            "field id: a number is longer than ten bytes",
            "Overflow",
        ),
        // Its letter, with headers, is larger than a topic takes that says nothing.
        all("a mebibyte of noise", framed(&incompressible(1_047_800)), "field id: ", avro_says),
        Case {
            cassandra: None,
            postgres: None,
            ..all(
                "no event time",
                avro(json!({"id": unique("null"), "n": 1, "at": null})),
                "the event time at is null",
                "",
            )
        },
        Case {
            cassandra: None,
            postgres: None,
            ..all(
                "the year 99999",
                avro(json!({"id": unique("far"), "n": 1, "at": 3_093_527_980_800_000_i64})),
                "outside of the years 1 to 9999",
                "",
            )
        },
        Case {
            cassandra: None,
            ..all(
                "a time beyond all",
                avro(json!({"id": unique("beyond"), "n": 1, "at": i64::MAX})),
                "outside of the years",
                "PostgreSQL can't take the row",
            )
        },
        Case {
            job: None,
            cassandra: None,
            ..all(
                "NUL in text",
                avro(json!({"id": unique("nul"), "n": 1, "text": "a\u{0}b", "at": 0})),
                "",
                "PostgreSQL can't take the row",
            )
        },
        Case { job: None, ..all("an empty key", avro(json!({"id": "", "n": 1, "at": 0})), "", "") }
            .only_cassandra("Key may not be empty"),
        Case {
            job: None,
            cassandra: Some("Key length of 70000 is longer than maximum of 65535"),
            postgres: Some("maximum size is 8191"),
            ..all("a key of 70,000 bytes", avro(json!({"id": noise(70_000), "n": 1, "at": 0})), "", "")
        },
    ]
}

impl Case {
    fn only_cassandra(self, reason: &'static str) -> Self {
        Self { cassandra: Some(reason), postgres: None, ..self }
    }
}

/// Text that can't be compressed much: a database may compress before it measures.
fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (state >> 57) as u8 % 90)
    };
    (0..bytes).map(|_| next()).collect()
}

/// Writes each case with its name as record id, a good record after each; answers the ids of the good ones.
async fn write(world: &World, stream: &str, cases: &[Case]) -> Vec<String> {
    let sender = Sender::new(world.stack.address("kafka")).unwrap();
    let mut ids = vec![];
    for case in cases {
        let bad = Outgoing {
            topic: stream.into(),
            key: Some(case.name.into()),
            payload: case.payload.clone(),
            headers: vec![(RECORD_ID, case.name.to_owned())],
            partition: None,
        };
        sender.send_all(vec![bad]).await.remove(0).unwrap();
        let id = unique("good");
        assert_eq!(world.send(stream, &good(&id), "").await.0, 200);
        ids.push(id);
    }
    ids
}

/// The schema id of the first record of a topic.
async fn schema_id(world: &World, topic: String) -> u32 {
    let bootstrap = world.stack.address("kafka").to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let reader = Reader::peek(&bootstrap).unwrap();
        reader.assign(&[(topic, 0, Start::Beginning)]).unwrap();
        loop {
            if let Polled::Record(record) = reader.poll(Duration::from_secs(1)).unwrap() {
                return frame::split(&record.payload.unwrap()).unwrap().0;
            }
        }
    });
    tokio::time::timeout(test_support::PATIENCE, reading).await.unwrap().unwrap()
}

async fn other_schema(world: &World) -> u32 {
    let registry = registry::Registry::new(world.stack.address("registry")).unwrap();
    let schema = r#"{"type":"record","name":"Other","fields":[{"name":"unlike","type":"int"}]}"#;
    registry.register(&format!("{}-value", unique("other")), schema).await.unwrap()
}

async fn assert_rows(world: &World, table: &str, ids: &[String]) {
    let analytics = world.postgres("analytics").await;
    eventually(&format!("all good rows are in {table}"), || async {
        let statement = format!("SELECT count(*) FROM {table} WHERE id = ANY($1)");
        let found: (i64,) =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(ids).fetch_one(&analytics).await.ok()?;
        (found.0 == ids.len() as i64).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_job_buries_what_it_cannot_read_and_goes_on() {
    let (world, doors) = (World::running(), doors());
    let stream = format!("{}_in", doors.name);
    let first = first_good(&world, &stream).await;
    assert_rows(&world, &format!("{}_o", doors.name), &[first]).await;
    let memory = [Memory::of("worker-1"), Memory::of("worker-2")];
    let cases = cases(schema_id(&world, stream.clone()).await, other_schema(&world).await);
    let goods = write(&world, &stream, &cases).await;
    let letters = Letters::of(world.stack.address("kafka"), &stream);
    for case in &cases {
        if let Some(reason) = case.job {
            let (name, payload) = (case.name, case.payload.clone());
            let letter = letters.find(name, move |letter| letter.header(RECORD_ID) == Some(name)).await;
            let told = letter.header("reason").unwrap();
            assert!(!reason.is_empty() && told.contains(reason), "{name}: {told}");
            assert_eq!(letter.header("stage"), Some("job"), "{name}");
            assert_eq!(letter.payload.map(|bytes| bytes.to_vec()), payload, "{name}");
        }
    }
    assert_rows(&world, &format!("{}_o", doors.name), &goods).await;
    memory.iter().for_each(|memory| memory.assert_within(GROWTH_MIB_MAX));
}

#[tokio::test]
async fn sinks_bury_what_cannot_be_a_row_and_go_on() {
    let (world, doors) = (World::running(), doors());
    let stream = format!("{}_raw", doors.name);
    let first = first_good(&world, &stream).await;
    assert_rows(&world, &format!("{}_p", doors.name), &[first]).await;
    let memory = [Memory::of("cassandra-sink"), Memory::of("postgres-sink")];
    let cases = cases(schema_id(&world, stream.clone()).await, other_schema(&world).await);
    let goods = write(&world, &stream, &cases).await;
    let letters = Letters::of(world.stack.address("kafka"), &stream);
    for case in &cases {
        for (suffix, reason) in [("c", case.cassandra), ("p", case.postgres)] {
            let Some(reason) = reason else { continue };
            let (name, table) = (case.name, format!("{}_{suffix}", doors.name));
            let letter = letters
                .find(&format!("{name} by {table}"), move |letter| {
                    letter.header(RECORD_ID) == Some(name) && letter.header("job") == Some(&table)
                })
                .await;
            let told = letter.header("reason").unwrap();
            assert!(!reason.is_empty() && told.contains(reason), "{name}: {told}");
            assert_eq!(letter.payload.map(|bytes| bytes.to_vec()), case.payload, "{name}");
        }
    }
    assert_rows(&world, &format!("{}_p", doors.name), &goods).await;
    let cassandra = world.cassandra().await;
    for id in goods {
        let question = format!("SELECT id FROM millrace.{}_c WHERE id = '{id}'", doors.name);
        eventually("the good row is in Cassandra", || async {
            cassandra.query(&question).await.ok()?.rows.into_iter().next()
        })
        .await;
    }
    memory.iter().for_each(|memory| memory.assert_within(GROWTH_MIB_MAX));
}

/// Bytes that no compression makes smaller.
fn incompressible(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}
