//! Parameters of a DAG: what a trigger may say, and within which bounds.
//!
//! The keys are JSON Schema's, so that a declaration reads as one; only those that are listed here are known.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One parameter.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    #[serde(rename = "type")]
    pub kind: ParamType,
    /// Taken where a run is made without it. A parameter without one must be given.
    #[serde(default)]
    pub default: Option<Value>,
    /// The only values that are allowed.
    #[serde(default, rename = "enum")]
    pub allowed: Option<Vec<Value>>,
    /// Of a number, included.
    #[serde(default)]
    pub minimum: Option<f64>,
    #[serde(default)]
    pub maximum: Option<f64>,
    /// Of a string, in characters; of an array, in items (`minItems`).
    #[serde(default, rename = "minLength", alias = "minItems")]
    pub least: Option<usize>,
    #[serde(default, rename = "maxLength", alias = "maxItems")]
    pub most: Option<usize>,
    /// Shown to people.
    #[serde(default)]
    pub description: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamType {
    String,
    Integer,
    Number,
    Boolean,
    Array,
}

/// The parameters of a DAG, by name.
pub type Params = BTreeMap<String, Param>;

/// A run's parameters are copied into each of its claims.
pub const PARAMS_BYTES_MAX: usize = 16 * 1024;

/// Why parameters are not taken: which one, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("params.{field}: {message}")]
pub struct ParamError {
    pub field: String,
    pub message: String,
}

/// The values of a run: what was given, and the defaults of the rest.
pub fn fill(declared: &Params, given: &Map<String, Value>) -> Result<Map<String, Value>, ParamError> {
    let wrong = |field: &str, message: String| ParamError { field: field.to_owned(), message };
    if let Some(field) = given.keys().find(|name| !declared.contains_key(*name)) {
        let known = declared.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "the DAG has none".into() } else { format!("there are: {known}") };
        return Err(wrong(field, format!("is no parameter of this DAG; {known}")));
    }
    let mut values = Map::new();
    for (name, param) in declared {
        let value = given.get(name).or(param.default.as_ref());
        let value = value.ok_or_else(|| wrong(name, "has no default: give a value".into()))?;
        param.check(value).map_err(|message| wrong(name, message))?;
        values.insert(name.clone(), value.clone());
    }
    match serde_json::to_vec(&values).map_or(0, |text| text.len()) {
        bytes if bytes > PARAMS_BYTES_MAX => Err(wrong(
            "*",
            format!("all together have {bytes} bytes: give at most {PARAMS_BYTES_MAX}, and a place for more"),
        )),
        _ => Ok(values),
    }
}

impl Param {
    /// What is wrong with a value.
    fn check(&self, value: &Value) -> Result<(), String> {
        let kind = self.kind.word();
        let is_it = match self.kind {
            ParamType::String => value.is_string(),
            ParamType::Integer => value.is_i64() || value.is_u64(),
            ParamType::Number => value.is_number(),
            ParamType::Boolean => value.is_boolean(),
            ParamType::Array => value.is_array(),
        };
        if !is_it {
            return Err(format!("{value} is not of type {kind}"));
        }
        if let Some(allowed) = self.allowed.as_ref().filter(|allowed| !allowed.contains(value)) {
            let allowed = allowed.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
            return Err(format!("{value} is not allowed: give one of {allowed}"));
        }
        self.check_bounds(value)
    }

    fn check_bounds(&self, value: &Value) -> Result<(), String> {
        if let Some(number) = value.as_f64() {
            return match (self.minimum, self.maximum) {
                (Some(least), _) if number < least => {
                    Err(format!("{value} is less than the minimum, {least}"))
                }
                (_, Some(most)) if number > most => Err(format!("{value} is more than the maximum, {most}")),
                _ => Ok(()),
            };
        }
        let size = match value {
            Value::String(text) => text.chars().count(),
            Value::Array(items) => items.len(),
            _ => return Ok(()),
        };
        match (self.least, self.most) {
            (Some(least), _) if size < least => Err(format!("its length is {size}, less than {least}")),
            (_, Some(most)) if size > most => Err(format!("its length is {size}, more than {most}")),
            _ => Ok(()),
        }
    }

    /// What is wrong with the declaration itself.
    pub(crate) fn problem(&self) -> Option<String> {
        let sized = matches!(self.kind, ParamType::String | ParamType::Array);
        let numeric = matches!(self.kind, ParamType::Integer | ParamType::Number);
        if !sized && (self.least.is_some() || self.most.is_some()) {
            return Some(format!("a value of type {} has no length", self.kind.word()));
        }
        if !numeric && (self.minimum.is_some() || self.maximum.is_some()) {
            return Some(format!("minimum and maximum are of numbers, not of type {}", self.kind.word()));
        }
        let default = self.default.as_ref()?;
        self.check(default).err().map(|cause| format!("its default: {cause}"))
    }
}

impl ParamType {
    fn word(self) -> &'static str {
        match self {
            ParamType::String => "string",
            ParamType::Integer => "integer",
            ParamType::Number => "number",
            ParamType::Boolean => "boolean",
            ParamType::Array => "array",
        }
    }
}

#[cfg(test)]
mod tests;
