use super::*;
use serde_json::json;

const TEXT: &str = "[connections.warehouse]\nhost = \"db\"\nport = 5432\npassword = \"hunter22\"\n\n[variables]\nregion = \"eu\"\napi_token = \"tttttt\"\n";

#[test]
fn a_file_gives_values_and_what_of_them_is_secret() {
    let values = parse("connections.toml", TEXT).unwrap();
    let found: Vec<_> = values
        .iter()
        .map(|((kind, name), value)| (name.as_str(), kind.secrets(name, value).join(",")))
        .collect();
    assert_eq!(
        found,
        [("warehouse", "hunter22".into()), ("api_token", "tttttt".into()), ("region", String::new())]
    );
    let warehouse = &values[&(Named::Connection, "warehouse".to_owned())];
    assert_eq!(*warehouse, json!({"host": "db", "port": 5432, "password": "hunter22"}));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_without_its_value() {
    let cases = [
        (
            "hunter22",
            "hunt",
            "connections.toml:1: connection \"warehouse\" has a secret of less than 5 bytes",
        ),
        ("warehouse", "Warehouse", "connections.toml:1: \"Warehouse\" can't be a name"),
        (
            "\"hunter22\"",
            "[\"hunter22\"]",
            "connections.toml:1: connection \"warehouse\": the field \"password\" is no text",
        ),
        ("\"hunter22\"", "hunter22", "connections.toml:4: it is not TOML"),
        ("region = \"eu\"", "region = 3", "connections.toml:6: variable \"region\" is no text"),
        ("[variables]", "[variable]", "connections.toml:6: [variable] is not known here"),
    ];
    for (from, to, expected) in cases {
        let told = parse("connections.toml", &TEXT.replace(from, to)).unwrap_err();
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].starts_with(expected), "{to}: {told:#?}");
        assert!(!told[0].contains("hunter"), "{}", told[0]);
    }
}
