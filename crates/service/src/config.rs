//! Settings from a file, overridden by environment variables.
//!
//! The file holds every setting. The setting `kafka.bootstrap` is overridden by `MILLRACE_KAFKA_BOOTSTRAP`, or by the content
//! of the file that `MILLRACE_KAFKA_BOOTSTRAP_FILE` names (for secrets).

use serde::de::DeserializeOwned;
use std::{collections::HashMap, path::Path};
use toml::{Table, Value};

/// A configuration that can be run with.
#[derive(Debug)]
pub struct Loaded<C> {
    pub settings: C,
    /// Where the process listens, for its health question.
    pub listen: String,
}

/// Why a configuration can't be used. Exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {file}: {cause}. Name the file with --config")]
    Unreadable { file: String, cause: std::io::Error },
    #[error("{file}:{line}: {message}")]
    Wrong { file: String, line: usize, message: String },
    #[error("{variable}: {message}")]
    Variable { variable: String, message: String },
}

/// The variables of this process that begin with `MILLRACE_`.
pub fn environment() -> HashMap<String, String> {
    std::env::vars().filter(|(name, _)| name.starts_with("MILLRACE_")).collect()
}

/// The name of this instance: `MILLRACE_NAME`, else the content of the file that `MILLRACE_NAME_FILE` names, else the process's.
///
/// Containers name `/etc/hostname`, so that each of several is somebody else.
pub fn name(process: &str, variables: &HashMap<String, String>) -> Result<String, ConfigError> {
    let given = look_up("MILLRACE_NAME", variables)?.filter(|name| !name.is_empty());
    Ok(given.unwrap_or_else(|| process.to_owned()))
}

/// Reads `file` and lays the variables over it. An unknown key or a wrong type is an error with its line.
pub fn load<C: DeserializeOwned>(
    file: &Path,
    variables: &HashMap<String, String>,
) -> Result<Loaded<C>, ConfigError> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|cause| ConfigError::Unreadable { file: shown.clone(), cause })?;
    parse(&shown, &text, variables)
}

/// The same for a text that was read already.
pub fn parse<C: DeserializeOwned>(
    file: &str,
    text: &str,
    variables: &HashMap<String, String>,
) -> Result<Loaded<C>, ConfigError> {
    let wrong = |cause: toml::de::Error| ConfigError::Wrong {
        file: file.to_owned(),
        line: cause.span().map_or(1, |span| line_of(text, span.start)),
        message: cause.message().replace('\n', " "),
    };
    // First the file alone, so that its errors have lines; then with the variables, whose errors name the variable.
    let plain: C = toml::from_str(text).map_err(wrong)?;
    let mut table: Table = toml::from_str(text).map_err(wrong)?;
    let used = override_leaves(&mut table, "MILLRACE", variables)?;
    let listen = table.get("listen").and_then(Value::as_str).unwrap_or_default().to_owned();
    if used.is_empty() {
        return Ok(Loaded { settings: plain, listen });
    }
    let settings = table.try_into().map_err(|cause: toml::de::Error| ConfigError::Variable {
        variable: used.join(", "),
        message: cause.message().to_owned(),
    })?;
    Ok(Loaded { settings, listen })
}

/// The line (from 1) of a byte offset.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn override_leaves(
    table: &mut Table,
    prefix: &str,
    variables: &HashMap<String, String>,
) -> Result<Vec<String>, ConfigError> {
    let mut used = vec![];
    for (key, value) in table.iter_mut() {
        let name = format!("{prefix}_{}", key.to_uppercase().replace('-', "_"));
        if let Value::Table(inner) = value {
            used.extend(override_leaves(inner, &name, variables)?);
        } else if let Some(text) = look_up(&name, variables)? {
            *value = typed(value, &text).ok_or_else(|| ConfigError::Variable {
                variable: name.clone(),
                message: format!("\"{text}\" is not {}", kind(value)),
            })?;
            used.push(name);
        }
    }
    Ok(used)
}

fn look_up(name: &str, variables: &HashMap<String, String>) -> Result<Option<String>, ConfigError> {
    if let Some(text) = variables.get(name) {
        return Ok(Some(text.clone()));
    }
    let by_file = format!("{name}_FILE");
    let Some(path) = variables.get(&by_file) else { return Ok(None) };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(cause) => {
            Err(ConfigError::Variable { variable: by_file, message: format!("cannot read {path}: {cause}") })
        }
    }
}

fn typed(like: &Value, text: &str) -> Option<Value> {
    match like {
        Value::String(_) => Some(Value::String(text.to_owned())),
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Float(_) => text.parse().ok().map(Value::Float),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Array(_) => {
            Some(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect::<Vec<_>>().into())
        }
        Value::Table(_) | Value::Datetime(_) => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        _ => "a value of this setting",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Config {
        listen: String,
        body_bytes_max: usize,
        kafka: crate::settings::Kafka,
    }

    const FILE: &str =
        "listen = \"127.0.0.1:7070\"\nbody_bytes_max = 1000\n\n[kafka]\nbootstrap = \"127.0.0.1:9092\"\n";

    fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded<Config>, String> {
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        parse("producer.toml", text, &variables).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_variable_overrides_the_setting_of_its_name() {
        let loaded =
            parse_with(FILE, &[("MILLRACE_KAFKA_BOOTSTRAP", "kafka:9092"), ("MILLRACE_BODY_BYTES_MAX", "5")])
                .unwrap();
        assert_eq!(loaded.settings.kafka.bootstrap, "kafka:9092");
        assert_eq!((loaded.settings.body_bytes_max, loaded.listen.as_str()), (5, "127.0.0.1:7070"));
        assert_eq!(loaded.settings.listen, loaded.listen);
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line_or_variable() {
        let cases = [
            (FILE.replace("bootstrap", "bootstap"), vec![], "producer.toml:5: unknown field `bootstap`"),
            (FILE.replace("1000", "\"many\""), vec![], "producer.toml:2: invalid type"),
            (
                FILE.to_owned(),
                vec![("MILLRACE_BODY_BYTES_MAX", "many")],
                "MILLRACE_BODY_BYTES_MAX: \"many\" is not a whole number",
            ),
        ];
        for (text, variables, expected) in cases {
            let problem = parse_with(&text, &variables).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }

    #[test]
    fn an_instance_is_named_by_variable_by_file_or_after_its_process() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "3f2a\n").unwrap();
        let by_file = ("MILLRACE_NAME_FILE", file.path().to_str().unwrap());
        let cases = [
            (vec![], "worker"),
            (vec![("MILLRACE_NAME", "")], "worker"),
            (vec![by_file], "3f2a"),
            (vec![("MILLRACE_NAME", "worker-2"), by_file], "worker-2"),
        ];
        for (variables, expected) in cases {
            let variables =
                variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            assert_eq!(name("worker", &variables).unwrap(), expected);
        }
    }

    #[test]
    fn a_secret_may_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "kafka:1\n").unwrap();
        let path = file.path().to_str().unwrap();
        let loaded = parse_with(FILE, &[("MILLRACE_KAFKA_BOOTSTRAP_FILE", path)]).unwrap();
        assert_eq!(loaded.settings.kafka.bootstrap, "kafka:1");
    }

    proptest::proptest! {
        #[test]
        fn any_file_and_any_variable_are_used_or_told(
            at in 0usize..80, cut in 0usize..20, typed in "[\\PC\n\"=]{0,10}", variable in "\\PC{0,10}",
        ) {
            let chars: Vec<char> = FILE.chars().collect();
            let (at, end) = (at.min(chars.len()), (at + cut).min(chars.len()));
            let text = chars[..at].iter().collect::<String>() + &typed + &chars[end..].iter().collect::<String>();
            for text in [text.as_str(), &typed] {
                if let Err(told) = parse_with(text, &[("MILLRACE_BODY_BYTES_MAX", &variable)]) {
                    proptest::prop_assert!(told.starts_with("producer.toml:") || told.starts_with("MILLRACE_"), "{told}");
                }
            }
        }
    }
}
