#![allow(clippy::unwrap_used)]

use super::*;

const SCHEMA: &str = r#"{"type": "record", "name": "User", "fields": [{"name": "id", "type": "string"}]}"#;

fn message(payload: Option<Vec<u8>>) -> Message {
    let codecs = [
        (7, Ok(avro::Codec::parse(SCHEMA).unwrap())),
        (8, Err("the registry does not know schema id 8".to_string())),
    ]
    .into();
    let record = Record {
        topic: "users".into(),
        partition: 2,
        offset: 5,
        timestamp_ms: 1_000,
        key: Some(b"u1".as_slice().to_vec().into()),
        payload: payload.map(Into::into),
        headers: vec![("reason".into(), b"the id is empty".to_vec().into())],
    };
    Message::of(record, &codecs)
}

fn framed(id: u32, body: &[u8]) -> Vec<u8> {
    [frame::header(id).as_slice(), body].concat()
}

#[test]
fn a_payload_is_decoded_or_shown_as_it_is_with_the_reason() {
    let cases = [
        (Some(framed(7, b"\x04u1")), json!({"id": "u1"}), None),
        (
            Some(framed(7, b"\x02u1")),
            json!("\\x00\\x00\\x00\\x00\\x07\\x02u1"),
            Some("schema 7: 1 bytes are left over"),
        ),
        (Some(framed(8, b"x")), json!("\\x00\\x00\\x00\\x00\\x08x"), Some("the registry does not know")),
        (Some(b"{\"id\": \"\xc3\xa5\"}".to_vec()), json!("{\"id\": \"å\"}"), Some("the first byte is 0x7b")),
        (None, Value::Null, None),
    ];
    for (payload, value, problem) in cases {
        let found = message(payload);
        assert_eq!(found.value, value);
        let told = found.problem.as_deref();
        assert!(
            told.is_some() == problem.is_some() && told.unwrap_or("").starts_with(problem.unwrap_or("")),
            "{told:?}"
        );
    }
}

#[test]
fn a_message_as_json_has_its_place_its_key_and_its_headers() {
    let found = message(None).json();
    let expected = json!({
        "topic": "users", "partition": 2, "offset": 5, "time": "1970-01-01T00:00:01Z", "key": "u1", "value": null,
        "problem": null, "headers": {"reason": "the id is empty"},
    });
    assert_eq!(found, expected);
}

#[test]
fn what_is_wanted_becomes_a_range_that_exists() {
    let wanted = |from| Wanted { topic: "users".into(), partition: None, from, limit: 10 };
    let range = |from, first, end| range(&wanted(from), 0, first, end).map(|range| (range.from, range.end));
    assert_eq!(range(ReadFrom::Beginning, 5, 100), Some((5, 100)));
    assert_eq!(range(ReadFrom::Offset(3), 5, 100), Some((5, 100)));
    assert_eq!(range(ReadFrom::Offset(100), 5, 100), None);
    assert_eq!(range(ReadFrom::End, 5, 100), Some((78, 100)));
    assert_eq!(range(ReadFrom::End, 95, 100), Some((95, 100)));
    assert_eq!(range(ReadFrom::Beginning, 5, 5), None);
}
