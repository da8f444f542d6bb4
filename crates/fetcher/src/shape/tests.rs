use super::*;
use pipeline::{Bundle, Pipeline};
use serde_json::json;
use std::path::Path;

fn now() -> DateTime<Utc> {
    "2026-02-03T04:05:06.789Z".parse().unwrap()
}

/// The field as a pipeline spells it, and what it makes of the record; `None`: the field is left out.
#[test]
fn a_field_is_made_of_a_record() {
    let record = json!({
        "name": {"first": "Åse", "last": null}, "code": 123, "zero": "0150", "price": "1.50", "big": 18446744073709551615u64,
        "float": 7.0, "half": 7.5, "yes": true, "list": [1, "b"], "map": {"b": 1, "a": {"d": 2, "c": 3}},
        "born": "1944-07-01T12:00:00.123Z", "day": "1970-01-02", "a/b": "slash"
    });
    let cases = [
        (json!("/name/first"), Some(json!("Åse"))),
        (json!("/name/last"), Some(json!(null))),
        (json!("/name/middle"), None),
        (json!("/a~1b"), Some(json!("slash"))),
        (json!("/list"), Some(json!([1, "b"]))),
        (json!({"pointer": "/code", "as": "string"}), Some(json!("123"))),
        (json!({"pointer": "/zero", "as": "string"}), Some(json!("0150"))),
        (json!({"pointer": "/big", "as": "string"}), Some(json!("18446744073709551615"))),
        (json!({"pointer": "/yes", "as": "string"}), Some(json!("true"))),
        (json!({"pointer": "/name/last", "as": "string"}), Some(json!(null))),
        (json!({"pointer": "/nothing", "as": "string"}), None),
        (json!({"pointer": "/born", "as": "timestamp"}), Some(json!(-804_772_799_877i64))),
        (json!({"pointer": "/code", "as": "timestamp"}), Some(json!(123))),
        (json!({"pointer": "/day", "as": "timestamp"}), Some(json!("1970-01-02"))),
        (json!({"pointer": "/zero", "as": "integer"}), Some(json!(150))),
        (json!({"pointer": "/float", "as": "integer"}), Some(json!(7))),
        (json!({"pointer": "/half", "as": "integer"}), Some(json!(7.5))),
        (json!({"pointer": "/price", "as": "integer"}), Some(json!("1.50"))),
        (json!({"pointer": "/price", "as": "number"}), Some(json!(1.5))),
        (json!({"pointer": "/name/first", "as": "number"}), Some(json!("Åse"))),
        (json!({"template": "{/code} {/name/first}"}), Some(json!("123 Åse"))),
        (json!({"template": "{/name/last}{/nothing}"}), Some(json!(null))),
        (json!({"template": "a {/nothing} b {/code}"}), Some(json!("a  b 123"))),
        (json!({"template": "{x} {/code} {"}), Some(json!("{x} 123 {"))),
        (json!({"template": "{fetched_at}"}), Some(json!("2026-02-03T04:05:06.789Z"))),
        (json!({"template": "{fetched_at}", "as": "timestamp"}), Some(json!(1_770_091_506_789i64))),
        (json!({"uuid5": ["/nothing", "/name/last"]}), None),
        (json!({"uuid5": ["/code", "/map"]}), Some(json!("67dd675d-fccc-5794-8cff-706aca7955c1"))),
    ];
    for (spelled, expected) in cases {
        let fields = BTreeMap::from([("field".to_owned(), serde_json::from_value(spelled.clone()).unwrap())]);
        assert_eq!(shape(&record, &fields, now()).get("field"), expected.as_ref(), "{spelled}");
    }
}

#[test]
fn an_id_of_values_depends_on_their_order_and_not_on_that_of_keys() {
    let of = |record: Value, pointers: [&str; 2]| uuid5(&record, &pointers.map(str::to_owned)).unwrap();
    let one = json!({"a": 1, "b": {"x": 1, "y": 2}});
    assert_eq!(of(one.clone(), ["/a", "/b"]), of(json!({"b": {"y": 2, "x": 1}, "a": 1}), ["/a", "/b"]));
    assert_ne!(of(one.clone(), ["/a", "/b"]), of(one.clone(), ["/b", "/a"]));
    assert_ne!(of(one, ["/a", "/b"]), of(json!({"a": "1", "b": {"x": 1, "y": 2}}), ["/a", "/b"]));
}

#[test]
fn an_id_is_the_key_of_the_stream() {
    let record = json!({"id": "å", "n": 7, "none": null}).as_object().unwrap().clone();
    let id = |key: &[&str]| id(&record, &key.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>());
    assert_eq!(id(&["id"]), Some("å".into()));
    assert_eq!(id(&["id", "n"]), Some("[\"å\",7]".into()));
    assert_eq!((id(&["none"]), id(&["id", "more"])), (None, None));
}

/// From the API's page to the Avro that is in Kafka: one user of each of the 21 nations. The file is written once and never changed.
#[test]
fn a_user_of_each_nation_becomes_exactly_this_avro() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bundle = Bundle::read(&root.join("../../config/pipelines/users")).unwrap();
    let pipeline = Pipeline::parse(&bundle).unwrap();
    let (source, stream) = (&pipeline.sources["users"], &pipeline.streams["users"]);
    let codec = wire::avro::Codec::parse(&stream.avsc).unwrap();
    let body = std::fs::read(root.join("../users-api/testdata/nationalities.json")).unwrap();
    let page = crate::page::Page::read(source, &body).unwrap();
    let mut found = String::new();
    for record in &page.records {
        let shaped = shape(record, &source.fields, now());
        assert_eq!(id(&shaped, &stream.key).as_deref(), record["login"]["uuid"].as_str());
        let mut avro = vec![];
        codec.encode(&shaped.into(), &mut avro).unwrap_or_else(|refusal| panic!("{refusal}: {record}"));
        found += &format!("{}\n", wire::avro::to_json(&codec.decode(&avro).unwrap()));
    }
    golden(&root.join("testdata/golden/users.jsonl"), &found);
}

fn golden(file: &Path, found: &str) {
    let expected = std::fs::read_to_string(file).unwrap_or_else(|_| {
        std::fs::write(file, found).unwrap();
        panic!("wrote {}: look at it, and run again", file.display())
    });
    for (n, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", n + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}
