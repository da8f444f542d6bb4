use super::*;
use serde_json::json;

const DECLARED: &str = r#"
day = { type = "string", default = "today", minLength = 2, maxLength = 10 }
country = { type = "string", enum = ["CH", "DE"], default = "CH" }
rows = { type = "integer", minimum = 1, maximum = 500, default = 10 }
share = { type = "number", maximum = 1.0, default = 0.5 }
dry = { type = "boolean", default = false }
ids = { type = "array", maxItems = 2, default = [] }
"#;

fn check(given: Value, expected: Result<Value, &str>) {
    let declared: Params = toml::from_str(DECLARED).unwrap();
    let told = fill(&declared, given.as_object().unwrap());
    match (told, expected) {
        (Ok(values), Ok(expected)) => {
            for (name, value) in expected.as_object().unwrap() {
                assert_eq!(&values[name], value, "{given}");
            }
            assert_eq!(values.len(), declared.len());
        }
        (told, expected) => assert_eq!(told.unwrap_err().to_string(), expected.unwrap_err(), "{given}"),
    }
}

#[test]
fn a_run_has_a_value_for_each_parameter_or_is_told_which_one_is_wrong() {
    check(json!({}), Ok(json!({"day": "today", "rows": 10, "dry": false})));
    check(json!({"rows": 500, "share": 1, "ids": [1, "a"]}), Ok(json!({"rows": 500, "share": 1})));
    check(
        json!({"row": 1}),
        Err("params.row: is no parameter of this DAG; there are: country, day, dry, ids, rows, share"),
    );
    check(json!({"rows": "1"}), Err("params.rows: \"1\" is not of type integer"));
    check(json!({"rows": 1.5}), Err("params.rows: 1.5 is not of type integer"));
    check(json!({"rows": 0}), Err("params.rows: 0 is less than the minimum, 1"));
    check(json!({"share": 1.01}), Err("params.share: 1.01 is more than the maximum, 1"));
    check(json!({"country": "FR"}), Err("params.country: \"FR\" is not allowed: give one of \"CH\", \"DE\""));
    check(json!({"day": "x"}), Err("params.day: its length is 1, less than 2"));
    check(json!({"ids": [1, 2, 3]}), Err("params.ids: its length is 3, more than 2"));
    check(json!({"dry": null}), Err("params.dry: null is not of type boolean"));
}

#[test]
fn a_parameter_without_a_default_must_be_given() {
    let declared: Params = toml::from_str("day = { type = \"string\" }").unwrap();
    let told = fill(&declared, &Map::new()).unwrap_err();
    assert_eq!((told.field.as_str(), told.message.as_str()), ("day", "has no default: give a value"));
}

#[test]
fn a_declaration_that_contradicts_itself_is_told() {
    let cases = [
        ("type = \"integer\"\nmaxLength = 3", "a value of type integer has no length"),
        ("type = \"string\"\nminimum = 3", "minimum and maximum are of numbers, not of type string"),
        ("type = \"integer\"\nminimum = 3\ndefault = 1", "its default: 1 is less than the minimum, 3"),
    ];
    for (text, expected) in cases {
        assert_eq!(toml::from_str::<Param>(text).unwrap().problem().as_deref(), Some(expected), "{text}");
    }
}
