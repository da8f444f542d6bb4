use super::*;
use wire::avro::Codec;

fn ready(key: &[&str]) -> Ready {
    let avsc = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"n","type":["null","int"],"default":null},
        {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"default":0}]}"#;
    let toml = format!("[streams.r]\nschema = \"r.avsc\"\nkey = {key:?}\n");
    let files = [("pipeline.toml".to_owned(), toml), ("r.avsc".to_owned(), avsc.to_owned())].into();
    let stream = pipeline::Pipeline::parse(&pipeline::Bundle { name: "p".into(), files })
        .unwrap()
        .streams
        .remove("r")
        .unwrap();
    Ready {
        stream,
        codec: Codec::parse(avsc).unwrap(),
        schema_id: 7,
        topic: "r".into(),
        dead_topic: "r-dead".into(),
    }
}

#[test]
fn a_record_is_keyed_by_what_it_says_not_by_how_it_is_spelled() {
    let cases: [(&[&str], &str, &str); 4] = [
        (&["id"], r#"{"id":"a"}"#, "a"),
        (&["id", "n"], r#"{"id":"a","n":1}"#, r#"["a",1]"#),
        (&["id", "at"], r#"{"id":"a","at":1000}"#, r#"["a","1970-01-01T00:00:01Z"]"#),
        (&["id", "at"], r#"{"id":"a","at":"1970-01-01T01:00:01+01:00"}"#, r#"["a","1970-01-01T00:00:01Z"]"#),
    ];
    for (key, record, expected) in cases {
        let Fate::Write(written) = judge(&ready(key), record.as_bytes(), OnInvalid::Reject) else {
            panic!("{record}")
        };
        assert_eq!(String::from_utf8(written.key.unwrap()).unwrap(), expected);
        assert_eq!(written.payload.unwrap()[..5], [0, 0, 0, 0, 7]);
    }
}

#[test]
fn what_does_not_fit_is_rejected_or_buried_byte_for_byte() {
    for (record, reason) in [
        ("{\"id\": 7}", "field \"id\": expected text, found 7"),
        ("{\"id\":\"a\", \"x\": 1}", "field \"x\": the schema has no such field"),
        ("<html>", "the record is not JSON"),
    ] {
        let Fate::Reject(told) = judge(&ready(&["id"]), record.as_bytes(), OnInvalid::Reject) else {
            panic!("{record}")
        };
        assert!(told.starts_with(reason), "{told}");
        let Fate::Bury(letter, _) = judge(&ready(&["id"]), record.as_bytes(), OnInvalid::Deadletter) else {
            panic!("{record}")
        };
        assert_eq!((letter.payload.as_deref(), &*letter.topic), (Some(record.as_bytes()), "r-dead"));
    }
    let Fate::Reject(told) = judge(&ready(&["id", "n"]), b"{\"id\":\"a\"}", OnInvalid::Reject) else {
        panic!()
    };
    assert_eq!(told, "the key needs a value in each of its fields: id, n");
}

#[test]
fn answers_come_in_the_order_of_the_request() {
    let place = |offset| Ok(Place { partition: 0, offset });
    let fates = vec![None, Some(Err("bad".into())), Some(Ok("worse".into())), None];
    let answer = answer(fates, vec![place(1), place(2), Err(SendError::Unknown("away".into()))]);
    assert_eq!((answer.accepted, answer.rejected, answer.dead), (1, 1, 1));
    assert_eq!(answer.results[2], Outcome::Dead { reason: "worse".into(), partition: 0, offset: 2 });
    assert_eq!(answer.results[3], Outcome::Unknown { reason: "away".into() });
}
