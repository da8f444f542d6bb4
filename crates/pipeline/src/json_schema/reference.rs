//! The schema as a page for people.

use super::{Key, group, on, param, schedule, settings, task};
use serde_json::Value;

/// Every key of a DAG file, in Markdown.
pub fn reference() -> String {
    let mut sections = vec![
        section("The DAG", "At the top of the file.", &settings()),
        section("A schedule as a table", "`[schedule]`", &schedule()),
        section("Records that start runs", "`[on]`", &on()),
        section("A parameter", "`[params.NAME]`", &param()),
        section("A group of tasks", "`[groups.NAME]`", &group()),
        section("A task of any kind", "`[tasks.NAME]`", &task::shared()),
    ];
    sections.extend(task::kinds().into_iter().map(of_kind));
    sections.extend([
        section("What a check or a query expects", "`expect = { … }`", &task::expect()),
        section("A check of rows", "`rows = { … }` of a check", &task::checked_rows()),
        section("A check of freshness", "`fresh = { … }`", &task::checked_fresh()),
        section("A check of uniqueness", "`unique = { … }`", &task::checked_unique()),
        section("Waiting for records", "`passed = { … }`", &task::passed()),
        section("Waiting for another DAG's run", "`run = { … }`", &task::run()),
        section("Waiting for rows", "`rows = { … }` of a wait", &task::rows()),
        section("Waiting for a sink", "`lag = { … }`", &task::lag()),
    ]);
    format!("{HEAD}\n{}", sections.join("\n"))
}

const HEAD: &str = "# Keys of a DAG file

Printed by `millrace dag reference` from the schema that editors use (`docs/dag.schema.json`). What the words mean, with examples:
`docs/DAGS.md`.
";

fn of_kind((kind, keys, required): (&'static str, Vec<Key>, Vec<&'static str>)) -> String {
    let must = match &required[..] {
        [] => String::new(),
        names => format!(" It needs `{}`.", names.join("`, `")),
    };
    section(&format!("`kind = \"{kind}\"`"), &format!("{}{must}", task::does(kind)), &keys)
}

fn section(title: &str, told: &str, keys: &[Key]) -> String {
    let row = |(name, schema, told): &Key| format!("| `{name}` | {} | {told} |\n", may_be(schema));
    let table = match keys {
        [] => "It has no keys of its own.\n".to_owned(),
        keys => format!(
            "| key | what it may be | what it is for |\n|---|---|---|\n{}",
            keys.iter().map(row).collect::<String>()
        ),
    };
    format!("## {title}\n\n{told}\n\n{table}")
}

/// In words.
fn may_be(schema: &Value) -> String {
    let each = |schemas: &Value, word: &str| {
        let words: Vec<String> = schemas.as_array().into_iter().flatten().map(may_be).collect();
        words.join(word)
    };
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    match schema["type"].as_str() {
        Some("string") if schema.get("description").is_some() => "duration".into(),
        Some("string") => "text".into(),
        Some("boolean") => "true or false".into(),
        Some("integer") => format!("whole number{}", bounds(schema)),
        Some("number") => format!("number{}", bounds(schema)),
        Some("array") if schema.get("items").is_some() => format!("list of {}", may_be(&schema["items"])),
        Some("array") => "list".into(),
        Some("object") if schema.get("properties").is_some() => "table".into(),
        Some("object") => format!("{} by name", may_be(&schema["additionalProperties"])),
        _ if schema.get("anyOf").is_some() => each(&schema["anyOf"], " or "),
        _ => "anything".into(),
    }
}

fn bounds(schema: &Value) -> String {
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" from {least}"),
        (None, Some(most)) => format!(" to {most}"),
        (None, None) => String::new(),
    }
}
