//! Subjects of the schema registry, and Avro schemas in words.

use futures::{StreamExt, TryStreamExt, stream};
use registry::{Registry, RegistryError, Version};
use serde::Serialize;
use serde_json::Value;

#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    pub name: String,
    /// Oldest first.
    pub versions: Vec<Version>,
}

/// A field of a record schema, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    pub name: String,
    pub kind: String,
    /// The default as JSON.
    pub default: Option<String>,
    pub doc: Option<String>,
}

/// More subjects are left out: each is a question of its own.
const SUBJECTS_MAX: usize = 500;
const SUBJECTS_AT_ONCE: usize = 4;

/// All subjects with all their versions, by name.
pub async fn subjects(registry: &Registry) -> Result<Vec<Subject>, RegistryError> {
    let names = registry.subjects().await?;
    let ask = |name: String| async move {
        let versions = match registry.versions(&name).await {
            // Deleted between the two questions.
            Err(RegistryError::Unknown { .. }) => vec![],
            other => other?,
        };
        Ok(Subject { name, versions })
    };
    stream::iter(names.into_iter().take(SUBJECTS_MAX)).map(ask).buffered(SUBJECTS_AT_ONCE).try_collect().await
}

impl Subject {
    pub fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }
}

/// The fields of a record schema; none where it is not one.
pub fn fields(schema: &str) -> Vec<Field> {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    let field = |field: &Value| Field {
        name: text(field, "name").unwrap_or_default(),
        kind: field.get("type").map(kind).unwrap_or_default(),
        default: field.get("default").map(Value::to_string),
        doc: text(field, "doc"),
    };
    schema
        .get("fields")
        .and_then(Value::as_array)
        .map(|fields| fields.iter().map(field).collect())
        .unwrap_or_default()
}

/// A schema as people read it, or as it is where it is not JSON.
pub fn pretty(schema: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(schema).ok();
    parsed.and_then(|parsed| serde_json::to_string_pretty(&parsed).ok()).unwrap_or_else(|| schema.to_owned())
}

/// A type in words: `string`, `long (timestamp-millis)`, `string or null`, `list of double`.
fn kind(schema: &Value) -> String {
    match schema {
        Value::String(name) => name.clone(),
        Value::Array(branches) => {
            // A nullable field reads better with its own type first.
            let (nulls, others): (Vec<&Value>, Vec<&Value>) =
                branches.iter().partition(|branch| *branch == "null");
            others.into_iter().chain(nulls).map(kind).collect::<Vec<_>>().join(" or ")
        }
        Value::Object(_) => named(schema),
        other => other.to_string(),
    }
}

fn named(schema: &Value) -> String {
    let inner = |key: &str| schema.get(key).map(kind).unwrap_or_default();
    let base = match text(schema, "type").as_deref() {
        Some("array") => format!("list of {}", inner("items")),
        Some("map") => format!("map of {}", inner("values")),
        Some("enum") => format!("one of {}", symbols(schema)),
        Some("record") => format!("record {}", text(schema, "name").unwrap_or_default()),
        Some(other) => other.to_owned(),
        None => inner("type"),
    };
    match text(schema, "logicalType").as_deref() {
        Some("decimal") => format!(
            "{base} (decimal {}, {})",
            inner("precision"),
            schema.get("scale").map_or("0".into(), kind)
        ),
        Some(logical) => format!("{base} ({logical})"),
        None => base,
    }
}

fn symbols(schema: &Value) -> String {
    let symbols = schema.get("symbols").and_then(Value::as_array);
    symbols.map(|all| all.iter().map(kind).collect::<Vec<_>>().join(", ")).unwrap_or_default()
}

fn text(schema: &Value, key: &str) -> Option<String> {
    schema.get(key).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_type_is_told_in_words() {
        let cases = [
            (json!("string"), "string"),
            (json!(["null", "string"]), "string or null"),
            (json!({"type": "long", "logicalType": "timestamp-millis"}), "long (timestamp-millis)"),
            (json!(["null", {"type": "array", "items": "double"}]), "list of double or null"),
            (json!({"type": "map", "values": "int"}), "map of int"),
            (json!({"type": "enum", "name": "size", "symbols": ["S", "L"]}), "one of S, L"),
            (
                json!({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}),
                "bytes (decimal 9, 2)",
            ),
            (json!({"type": "record", "name": "Address", "fields": []}), "record Address"),
        ];
        for (schema, expected) in cases {
            assert_eq!(kind(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn fields_are_those_of_the_record_and_none_of_anything_else() {
        let schema = json!({"type": "record", "name": "User", "fields": [
            {"name": "id", "type": "string", "doc": "of the source"},
            {"name": "city", "type": ["null", "string"], "default": null}]});
        let expected =
            [("id", "string", None, Some("of the source")), ("city", "string or null", Some("null"), None)];
        let found = fields(&schema.to_string());
        let found: Vec<_> = found
            .iter()
            .map(|f| (f.name.as_str(), f.kind.as_str(), f.default.as_deref(), f.doc.as_deref()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(fields("\"string\""), []);
        assert_eq!(fields("no schema"), []);
    }
}
