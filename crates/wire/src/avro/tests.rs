use super::*;
use proptest::prelude::*;
use serde_json::json;

const EVERYTHING: &str = r#"{"type":"record","name":"Everything","fields":[
  {"name":"id","type":"string"},
  {"name":"age","type":["null","int"],"default":null},
  {"name":"big","type":"long","default":7},
  {"name":"ratio","type":"double"},
  {"name":"ok","type":"boolean"},
  {"name":"raw","type":"bytes"},
  {"name":"born","type":{"type":"int","logicalType":"date"}},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"fine","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
  {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A","B"]}},
  {"name":"tags","type":{"type":"array","items":"string"}},
  {"name":"names","type":{"type":"map","values":"int"}},
  {"name":"place","type":{"type":"record","name":"Place","fields":[{"name":"lat","type":"double"}]}}]}"#;

fn good() -> serde_json::Value {
    json!({"id":"å","age":null,"big":-3,"ratio":1.5,"ok":true,"raw":"AAH/","born":"1969-12-31",
        "at":"1966-08-07T01:02:03.5Z","fine":"2024-02-29T00:00:00.000001Z","kind":"B","tags":["x","y"],"names":{"a":1},"place":{"lat":-1.0}})
}

#[test]
fn what_we_encode_another_library_decodes() {
    let codec = Codec::parse(EVERYTHING).unwrap();
    let mut out = vec![];
    codec.encode(&good(), &mut out).unwrap();
    assert_eq!(to_json(&codec.decode(&out).unwrap()), good());
}

#[test]
fn a_missing_field_takes_its_default() {
    let codec = Codec::parse(EVERYTHING).unwrap();
    let mut record = good();
    record.as_object_mut().unwrap().remove("big");
    record.as_object_mut().unwrap().remove("age");
    let mut out = vec![];
    codec.encode(&record, &mut out).unwrap();
    let back = to_json(&codec.decode(&out).unwrap());
    assert_eq!((&back["big"], &back["age"]), (&json!(7), &json!(null)));
}

#[test]
fn a_refusal_names_the_field_the_expectation_and_the_finding() {
    let codec = Codec::parse(EVERYTHING).unwrap();
    let cases = [
        ("id", json!(7), "field \"id\": expected text, found 7"),
        ("age", json!("x"), "field \"age\": expected null or a whole number of 32 bits, found \"x\""),
        (
            "age",
            json!(3_000_000_000i64),
            "field \"age\": expected null or a whole number of 32 bits, found 3000000000",
        ),
        ("kind", json!("C"), "field \"kind\": expected one of A, B, found \"C\""),
        ("tags", json!(["x", 1]), "field \"tags[1]\": expected text, found 1"),
        ("place", json!({"lat": "n"}), "field \"place.lat\": expected a number, found \"n\""),
        (
            "place",
            json!({"lat": 1, "x": 1}),
            "field \"place.x\": the schema has no such field: leave it out, or add it to the schema",
        ),
        (
            "at",
            json!("yesterday"),
            "field \"at\": expected a timestamp (RFC 3339) or whole milliseconds since 1970, found \"yesterday\"",
        ),
        (
            "more",
            json!(1),
            "field \"more\": the schema has no such field: leave it out, or add it to the schema",
        ),
    ];
    for (field, value, expected) in cases {
        let mut record = good();
        record[field] = value;
        let mut out = b"kept".to_vec();
        assert_eq!(codec.encode(&record, &mut out).unwrap_err().to_string(), expected);
        assert_eq!(out, b"kept");
    }
}

#[test]
fn a_truncated_or_too_long_body_is_refused() {
    let codec = Codec::parse(EVERYTHING).unwrap();
    let mut out = vec![];
    codec.encode(&good(), &mut out).unwrap();
    for length in 0..out.len() {
        assert!(codec.decode(&out[..length]).is_err(), "{length} of {} bytes", out.len());
    }
    out.push(0);
    assert_eq!(codec.decode(&out), Err(DecodeError::TrailingBytes { extra: 1 }));
}

#[test]
fn a_decimal_keeps_its_digits() {
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}}]}"#;
    let codec = Codec::parse(schema).unwrap();
    for (text, bytes) in
        [("1.28", vec![0, 128]), ("-1.28", vec![128]), ("0", vec![0]), ("9999.99", vec![0x0f, 0x42, 0x3f])]
    {
        let mut out = vec![];
        codec.encode(&json!({"d": text}), &mut out).unwrap();
        assert_eq!(out[1..], bytes, "{text}");
    }
    assert!(codec.encode(&json!({"d": "10000.00"}), &mut vec![]).is_err());
    assert!(codec.encode(&json!({"d": "1.001"}), &mut vec![]).is_err());
}

const FLAT: &str = r#"{"type":"record","name":"Flat","fields":[
  {"name":"id","type":"string"},
  {"name":"age","type":["null","int"]},
  {"name":"big","type":["long","null"]},
  {"name":"ratio","type":"double"},
  {"name":"half","type":"float"},
  {"name":"ok","type":"boolean"},
  {"name":"raw","type":"bytes"},
  {"name":"born","type":{"type":"int","logicalType":"date"}},
  {"name":"wakes","type":{"type":"int","logicalType":"time-millis"}},
  {"name":"sleeps","type":{"type":"long","logicalType":"time-micros"}},
  {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
  {"name":"fine","type":{"type":"long","logicalType":"timestamp-micros"}}]}"#;

/// The fields' values as the library reads them.
fn fields(codec: &Codec, body: &[u8]) -> Option<Vec<Option<Value>>> {
    let Ok(Value::Record(fields)) = codec.decode(body) else { return None };
    let plain = |value| match value {
        Value::Union(_, inner) if *inner == Value::Null => None,
        Value::Union(_, inner) => Some(*inner),
        other => Some(other),
    };
    Some(fields.into_iter().map(|(_, value)| plain(value)).collect())
}

#[test]
fn only_flat_records_are_read_the_short_way() {
    let codec = Codec::parse(EVERYTHING).unwrap();
    let mut body = vec![];
    codec.encode(&good(), &mut body).unwrap();
    assert_eq!(codec.values(&body), None);
    assert_eq!(codec.position("big"), Some(2));
}

proptest! {
    /// Whole, cut, and with a part of it replaced: the short way reads what the library reads, or leaves it to the library.
    #[test]
    fn the_short_way_reads_what_the_library_reads(
        n in any::<i64>(), x in any::<Option<i32>>(), f in -1e30f32..1e30, t in ".{0,8}",
        at in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 0..4), cut in any::<bool>(),
    ) {
        let codec = Codec::parse(FLAT).unwrap();
        let record = json!({"id": t, "age": x, "big": x.map(|_| n), "ratio": f, "half": f, "ok": n > 0, "raw": "AAH/",
            "born": x.unwrap_or(0), "wakes": 5, "sleeps": 6, "at": x.map(|_| n), "fine": n});
        let mut body = vec![];
        codec.encode(&record, &mut body).unwrap();
        prop_assert!(codec.values(&body).is_some());
        prop_assert_eq!(codec.values(&body), fields(&codec, &body));
        let at = at.index(body.len());
        let end = if cut { body.len() } else { (at + noise.len()).min(body.len()) };
        body.splice(at..end, noise);
        if let Some(values) = codec.values(&body) {
            prop_assert_eq!(format!("{values:?}"), format!("{:?}", fields(&codec, &body).unwrap()));
        }
    }

    #[test]
    fn any_number_survives_the_round_trip(n in any::<i64>(), x in any::<i32>(), t in ".*") {
        let codec = Codec::parse(EVERYTHING).unwrap();
        let mut record = good();
        record["big"] = json!(n);
        record["age"] = json!(x);
        record["id"] = json!(t);
        let mut out = vec![];
        codec.encode(&record, &mut out).unwrap();
        prop_assert_eq!(to_json(&codec.decode(&out).unwrap()), record);
    }

    /// Bodies come from outside: whatever they hold is a value or an error, and a value is one of the schema's.
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let codec = Codec::parse(EVERYTHING).unwrap();
        if let Ok(value) = codec.decode(&bytes) {
            to_json(&value);
        }
        let _ = (codec.decode_as(&bytes, &codec), crate::frame::split(&bytes));
    }

    /// A good body with a part of it replaced: closer to what is accepted than noise is.
    #[test]
    fn a_damaged_body_is_decoded_or_refused(at in 0usize..60, noise in prop::collection::vec(any::<u8>(), 0..12)) {
        let codec = Codec::parse(EVERYTHING).unwrap();
        let mut body = vec![];
        codec.encode(&good(), &mut body).unwrap();
        let at = at.min(body.len());
        let end = (at + noise.len()).min(body.len());
        body.splice(at..end, noise);
        if let Ok(value) = codec.decode(&body) {
            to_json(&value);
        }
    }

    /// What is put into any field is encoded so that it can be decoded, or refused with nothing written.
    #[test]
    fn any_json_is_encoded_or_refused(field in 0usize..13, n in any::<f64>(), text in ".*", kind in 0u8..7) {
        let codec = Codec::parse(EVERYTHING).unwrap();
        let mut record = good();
        let name = record.as_object().unwrap().keys().nth(field).unwrap().clone();
        record[name] = match kind {
            0 => json!(null),
            1 => json!(n),
            2 => json!(text),
            3 => json!([text, n]),
            4 => json!({text.clone(): n}),
            5 => json!(n > 0.0),
            _ => json!(n as i64),
        };
        let mut out = vec![7];
        match codec.encode(&record, &mut out) {
            Ok(()) => prop_assert!(codec.decode(&out[1..]).is_ok()),
            Err(refusal) => {
                prop_assert_eq!(out, [7]);
                prop_assert!(refusal.to_string().len() < 2_000);
            }
        }
    }

    #[test]
    fn any_text_is_a_message_of_ours_or_not(text in "\\PC*", cut in 0usize..80) {
        let whole = r#"{"accepted":1,"dead":0,"rejected":0,"results":[{"status":"written","partition":0,"offset":1}]}"#;
        for text in [text.as_str(), &whole[..cut.min(whole.len())]] {
            let _ = serde_json::from_str::<crate::ingest::Answer>(text);
            let _ = serde_json::from_str::<crate::fetch::Request>(text);
            let _ = serde_json::from_str::<crate::fetch::Answer>(text);
            let _ = serde_json::from_str::<crate::passed::Offsets>(text);
        }
    }
}

#[test]
fn a_day_beyond_the_calendar_stays_the_number_that_it_is() {
    use apache_avro::types::Value;
    assert_eq!(to_json(&Value::Date(0)), "1970-01-01");
    assert_eq!(to_json(&Value::Date(i32::MAX)), i32::MAX);
}

/// Milliseconds where the years of four digits begin and end.
const EDGES: [i64; 4] = [253_402_300_799_999, 253_402_300_800_000, -62_167_219_200_000, -62_167_219_200_001];

proptest! {
    #[test]
    fn what_comes_back_as_json_can_be_sent_again_and_is_the_same(
        at in prop_oneof![any::<i64>(), prop::sample::select(&EDGES[..])], fine in any::<Option<i64>>(),
        born in any::<i32>(), ratio in any::<f64>().prop_filter("finite", |f| f.is_finite()), t in ".{0,8}",
    ) {
        let codec = Codec::parse(EVERYTHING).unwrap();
        let mut record = good();
        for (field, value) in
            [("at", json!(at)), ("fine", json!(fine)), ("born", json!(born)), ("ratio", json!(ratio)), ("id", json!(t))]
        {
            record[field] = value;
        }
        let (mut once, mut again) = (vec![], vec![]);
        codec.encode(&record, &mut once).unwrap();
        codec.encode(&to_json(&codec.decode(&once).unwrap()), &mut again).unwrap();
        prop_assert_eq!(once, again);
    }
}
