use serde_json::{Value, json};

use super::{from_avro, to_avro};
use crate::shape::Shape;

fn shape(kind: &str) -> Shape {
    Shape::parse(&format!(
        r#"{{"type": "record", "name": "r", "fields": [{{"name": "x", "type": {kind}}}]}}"#
    ))
    .unwrap()
}

fn written(kind: &str, value: Value) -> Result<Value, String> {
    let shape = shape(kind);
    let mut bytes = Vec::new();
    to_avro(&shape, &json!({ "x": value }), &mut bytes)?;
    Ok(from_avro(&shape, &bytes)?["x"].clone())
}

const MILLIS: &str = r#"{"type": "long", "logicalType": "timestamp-millis"}"#;
const MICROS: &str = r#"{"type": "long", "logicalType": "timestamp-micros"}"#;
const LOCAL: &str = r#"{"type": "long", "logicalType": "local-timestamp-millis"}"#;
const PRICE: &str = r#"{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}"#;
const FIXED_PRICE: &str = r#"{"type": {"type": "fixed", "name": "f", "size": 5}, "logicalType": "decimal", "precision": 9, "scale": 2}"#;

#[test]
fn values_come_back_in_their_one_spelling() {
    for (kind, given, expected) in [
        (MILLIS, json!(10_000), json!("1970-01-01T00:00:10Z")),
        (MILLIS, json!("1970-01-01T01:00:10.500+01:00"), json!("1970-01-01T00:00:10.5Z")),
        (MILLIS, json!("0001-01-01T00:00:00Z"), json!("0001-01-01T00:00:00Z")),
        (MICROS, json!("2026-01-31T13:45:00.000001Z"), json!("2026-01-31T13:45:00.000001Z")),
        (MICROS, json!(i64::MAX), json!(i64::MAX)),
        (LOCAL, json!("2026-01-31T13:45:00"), json!("2026-01-31T13:45:00")),
        (r#"{"type": "int", "logicalType": "date"}"#, json!("1969-12-31"), json!("1969-12-31")),
        (r#"{"type": "int", "logicalType": "date"}"#, json!(20_000), json!("2024-10-04")),
        (r#"{"type": "int", "logicalType": "time-millis"}"#, json!("13:00:00"), json!("13:00:00")),
        (r#"{"type": "long", "logicalType": "time-micros"}"#, json!("13:45:10.25"), json!("13:45:10.25")),
        (PRICE, json!("-0.05"), json!("-0.05")),
        (PRICE, json!("1234567.8"), json!("1234567.80")),
        (PRICE, json!("-1.28"), json!("-1.28")),
        (FIXED_PRICE, json!("-1.28"), json!("-1.28")),
        ("\"double\"", json!(0.1), json!(0.1)),
        ("\"double\"", json!(978260.5410462187), json!(978260.5410462187)),
        ("\"double\"", json!("NaN"), json!("NaN")),
        ("\"double\"", json!("-Infinity"), json!("-Infinity")),
        ("\"double\"", json!(3), json!(3.0)),
        ("\"float\"", json!(0.1), json!(0.1)),
        ("\"bytes\"", json!("AP8="), json!("AP8=")),
        ("\"long\"", json!(i64::MIN), json!(i64::MIN)),
        (r#"["null", "string"]"#, json!(null), json!(null)),
        (r#"["string", "null"]"#, json!("a"), json!("a")),
        (r#"{"type": "array", "items": ["null", "int"]}"#, json!([1, null]), json!([1, null])),
        (r#"{"type": "array", "items": "int"}"#, json!([]), json!([])),
        (r#"{"type": "map", "values": "int"}"#, json!({"b": 1, "a": 2}), json!({"b": 1, "a": 2})),
        (r#"{"type": "enum", "name": "e", "symbols": ["a", "b"]}"#, json!("b"), json!("b")),
    ] {
        assert_eq!(written(kind, given.clone()), Ok(expected), "{given} as {kind}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_field() {
    for (kind, given, expected) in [
        (
            "\"int\"",
            json!(3_000_000_000i64),
            "field x: a whole number that fits the field expected, found 3000000000",
        ),
        ("\"int\"", json!("1"), "field x: a whole number"),
        ("\"string\"", json!(1), "field x: text expected, found 1"),
        ("\"boolean\"", json!("true"), "field x: true or false expected"),
        (MILLIS, json!("yesterday"), "field x: a time as"),
        (PRICE, json!("1.234"), "field x: a decimal with at most 2 places expected"),
        (PRICE, json!("12345678.00"), "field x: a decimal of at most 9 digits"),
        (PRICE, json!(1.5), "field x: a decimal as text expected"),
        (r#"["null", "int"]"#, json!("a"), "field x: a whole number"),
        (
            r#"{"type": "enum", "name": "e", "symbols": ["a", "b"]}"#,
            json!("c"),
            "field x: \"c\" is none of a, b",
        ),
        ("\"bytes\"", json!("*"), "field x: not base64"),
    ] {
        let found = written(kind, given.clone()).expect_err(kind);
        assert!(found.starts_with(expected), "found {found}\nexpected {expected}");
    }
}

#[test]
fn a_missing_field_takes_its_default_or_is_an_error() {
    let shape = Shape::parse(
        r#"{"type": "record", "name": "r", "fields": [{"name": "a", "type": "int", "default": 7}, {"name": "b", "type": "int"}]}"#,
    )
    .unwrap();
    let mut bytes = Vec::new();
    to_avro(&shape, &json!({"b": 1}), &mut bytes).unwrap();
    assert_eq!(from_avro(&shape, &bytes), Ok(json!({"a": 7, "b": 1})));
    assert_eq!(to_avro(&shape, &json!({}), &mut bytes), Err("field b is missing and has no default".into()));
    assert_eq!(
        to_avro(&shape, &json!({"b": 1, "c": 2}), &mut bytes),
        Err("there is no field c; the fields are a, b".into())
    );
}
