use super::*;
use apache_avro::types::Value;

fn column(name: &str) -> Column {
    let avsc =
        format!(r#"{{"type":"record","name":"R","fields":[{{"name":"{name}","type":["null","string"]}}]}}"#);
    let toml = format!("schema = \"r.avsc\"\nkey = [\"{name}\"]");
    let mut bundle = pipeline::Bundle { name: "p".into(), files: Default::default() };
    bundle.files.insert("pipeline.toml".into(), format!("[streams.s]\n{toml}"));
    bundle.files.insert("r.avsc".into(), avsc);
    let stream = pipeline::Pipeline::parse(&bundle).unwrap().streams.remove("s").unwrap();
    pipeline::columns(&stream).unwrap().remove(0)
}

#[test]
fn a_row_has_the_declared_columns_in_their_order() {
    let record = Value::Record(vec![
        ("a".into(), Value::Union(1, Box::new(Value::String("x".into())))),
        ("more".into(), Value::Int(1)),
        ("b".into(), Value::Union(0, Box::new(Value::Null))),
    ]);
    let row = Row::of(&[column("b"), column("a")], record.clone(), 7).unwrap();
    assert_eq!(row, Row { values: vec![None, Some(Value::String("x".into()))], version: 7 });
    assert_eq!(Row::of(&[column("c")], record, 7), Err("the record has no field \"c\"".into()));
}

#[test]
fn values_are_written_as_postgresql_reads_them() {
    let cases = [
        (Value::String("å\"".into()), "å\""),
        (Value::Boolean(true), "true"),
        (Value::Double(f64::NAN), "NaN"),
        (Value::TimestampMillis(-1), "1969-12-31T23:59:59.999Z"),
        (Value::Bytes(vec![0, 255]), "\\x00ff"),
        (Value::Array(vec![Value::Int(1), Value::Null]), "[1,null]"),
    ];
    for (value, expected) in cases {
        assert_eq!(text(&value), expected);
    }
}
