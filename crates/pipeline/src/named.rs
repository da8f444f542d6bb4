//! Connections and variables: values that DAGs name, and that are not in DAG files.
//!
//! A connection is a set of fields, as `host` and `password`; a variable is a text. What of them is secret is told by the names
//! of fields and variables alone, so that nobody has to remember to say so.

use crate::{Problem, file::line_of_section, problem::line_of};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The file beside the processes' own.
pub const FILE: &str = "connections.toml";

/// A secret shorter than this can't be masked: it would be found in every other word.
pub const SECRET_BYTES_MIN: usize = 5;
const NAME_BYTES_MAX: usize = 100;
/// Of a connection or a variable, as JSON.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Fields of a connection that everybody may see. All other texts are secret; numbers and booleans are not.
const OPEN_FIELDS: [&str; 18] = [
    "account",
    "bucket",
    "catalog",
    "database",
    "description",
    "endpoint",
    "host",
    "kind",
    "login",
    "path",
    "port",
    "protocol",
    "region",
    "role",
    "schema",
    "scheme",
    "sslmode",
    "user",
];
/// A variable whose name holds one of these is secret, as in Airflow.
const SECRET_WORDS: [&str; 8] =
    ["password", "passwd", "secret", "token", "key", "passphrase", "credential", "authorization"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    Connection,
    Variable,
}

impl Named {
    pub fn word(self) -> &'static str {
        match self {
            Named::Connection => "connection",
            Named::Variable => "variable",
        }
    }

    /// The value as templates see it, or what is wrong with it. Says nothing of the value itself.
    pub fn read(self, name: &str, value: Value) -> Result<Value, String> {
        let value = match (self, value) {
            (Named::Variable, value @ Value::String(_)) => value,
            (Named::Variable, _) => return Err(format!("variable \"{name}\" is no text: give one")),
            (Named::Connection, Value::Object(fields)) => Value::Object(plain(name, fields)?),
            (Named::Connection, _) => {
                return Err(format!(
                    "connection \"{name}\" has no fields: give {{\"host\": \"...\", \"password\": \"...\"}}"
                ));
            }
        };
        let bytes = value.to_string().len();
        if bytes > VALUE_BYTES_MAX {
            let word = self.word();
            return Err(format!(
                "{word} \"{name}\" has {bytes} bytes, more than {VALUE_BYTES_MAX}: keep it in a file"
            ));
        }
        let short = self.secrets(name, &value).into_iter().any(|secret| secret.len() < SECRET_BYTES_MIN);
        match short {
            true => Err(format!(
                "{} \"{name}\" has a secret of less than {SECRET_BYTES_MIN} bytes, which can't be masked in logs: take a longer one",
                self.word()
            )),
            false => Ok(value),
        }
    }

    /// What must not be seen of a value.
    pub fn secrets(self, name: &str, value: &Value) -> Vec<String> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        match (self, value) {
            (Named::Connection, Value::Object(fields)) => fields
                .iter()
                .filter(|(field, _)| !OPEN_FIELDS.contains(&field.as_str()))
                .filter_map(|(_, value)| text(value))
                .collect(),
            (Named::Variable, value) if SECRET_WORDS.iter().any(|word| name.contains(word)) => {
                text(value).into_iter().collect()
            }
            _ => vec![],
        }
    }
}

/// Templates write `connections.NAME.field`, variables of the environment write it in capitals.
pub fn name_problem(name: &str) -> Option<String> {
    let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let good =
        letters && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= NAME_BYTES_MAX;
    (!good).then(|| {
        format!("\"{name}\" can't be a name: give a small letter, then small letters, digits and `_`, at most {NAME_BYTES_MAX}")
    })
}

/// What is nested can't be named in a template.
fn plain(name: &str, fields: Map<String, Value>) -> Result<Map<String, Value>, String> {
    for (field, value) in &fields {
        if let Some(problem) = name_problem(field) {
            return Err(format!("connection \"{name}\": the field {problem}"));
        }
        if !matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
            return Err(format!(
                "connection \"{name}\": the field \"{field}\" is no text, number or boolean"
            ));
        }
    }
    Ok(fields)
}

/// Reads the file of connections and variables.
pub fn parse(file: &str, text: &str) -> Result<BTreeMap<(Named, String), Value>, Vec<Problem>> {
    let table: toml::Table = toml::from_str(text).map_err(|cause| {
        let line = cause.span().map_or(1, |span| line_of(text, span.start));
        vec![Problem::new(file, line, "it is not TOML")]
    })?;
    let (mut values, mut problems) = (BTreeMap::new(), vec![]);
    for (section, content) in table {
        let kind = match section.as_str() {
            "connections" => Named::Connection,
            "variables" => Named::Variable,
            _ => {
                problems.push(Problem::new(
                    file,
                    line_of_section(text, &section),
                    format!("[{section}] is not known here; there are [connections.NAME] and [variables]"),
                ));
                continue;
            }
        };
        for (name, value) in content.as_table().into_iter().flatten() {
            let value = serde_json::to_value(value).unwrap_or_default();
            match name_problem(name).map_or_else(|| kind.read(name, value), Err) {
                Ok(value) => drop(values.insert((kind, name.clone()), value)),
                Err(message) => {
                    let section = if kind == Named::Connection {
                        format!("connections.{name}")
                    } else {
                        section.clone()
                    };
                    problems.push(Problem::new(file, line_of_section(text, &section), message));
                }
            }
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

#[cfg(test)]
mod tests;
