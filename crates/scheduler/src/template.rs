//! Templates in task settings: strict, with the run's times and earlier tasks' results.

use crate::named::Given;
use chrono::{DateTime, SecondsFormat, Utc};
use minijinja::{Environment, UndefinedBehavior, value::ValueKind};
use queue::{Claim, TaskRow};
use serde_json::{Map, Value, json};

/// The item that a task is done for.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub index: usize,
    pub value: Value,
}

/// What a template may name. The names are also in the pipeline's check of templates, which refuses others when the file is read.
pub fn context(claim: &Claim, tasks: &[TaskRow], given: &Given, item: Option<&Item>) -> Value {
    let told = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let logical_time = told(claim.logical_at);
    let task = |task: &TaskRow| (task.name.clone(), json!({ "state": task.state, "result": task.result }));
    let mut context = json!({
        "dag": claim.dag,
        "run_id": claim.run_id,
        "logical_at": logical_time,
        "logical_time": logical_time,
        "data_interval_start": told(claim.interval.0),
        "data_interval_end": told(claim.interval.1),
        "params": claim.params,
        "tasks": tasks.iter().map(task).collect::<Map<_, _>>(),
        "connections": given.connections,
        "variables": given.variables,
    });
    if let Some(item) = item {
        context["item"] = item.value.clone();
        context["map_index"] = json!(item.index);
    }
    context
}

/// A text is a template: what it gives is taken as JSON where it is JSON, so that a number stays one.
pub fn filled(value: &toml::Value, context: &Value) -> Result<Value, String> {
    match value {
        toml::Value::String(text) if text.contains("{{") => {
            let text = render(text, context)?;
            Ok(serde_json::from_str(&text).unwrap_or_else(|_| text.into()))
        }
        toml::Value::Array(items) => items.iter().map(|item| filled(item, context)).collect(),
        toml::Value::Table(fields) => {
            fields.iter().map(|(name, value)| Ok((name.clone(), filled(value, context)?))).collect()
        }
        other => serde_json::to_value(other).map_err(|cause| cause.to_string()),
    }
}

/// Fills a template. An unknown name is an error; objects, lists and booleans come out as JSON.
pub fn render(text: &str, context: &Value) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(|out, state, value| match value.kind() {
        // As JSON writes them: minijinja itself writes `True`.
        ValueKind::Map | ValueKind::Seq | ValueKind::Bool => {
            let text = serde_json::to_string(value).map_err(|cause| {
                minijinja::Error::new(minijinja::ErrorKind::BadSerialization, cause.to_string())
            })?;
            out.write_str(&text).map_err(minijinja::Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment
        .render_str(text, minijinja::value::Serde(context))
        .map_err(|cause| format!("the template \"{text}\" can't be filled: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_gives_results_as_json_and_refuses_unknown_names() {
        let context = json!({"tasks": {"fetch": {"result": {"offsets": {"0": 42}, "fetched": 500}}}});
        assert_eq!(render("{{ tasks.fetch.result.offsets }}", &context).unwrap(), "{\"0\":42}");
        assert_eq!(render("n={{ tasks.fetch.result.fetched }}", &context).unwrap(), "n=500");
        assert_eq!(render("{{ 1 == 1 }} {{ not true }}", &context).unwrap(), "true false");
        assert!(render("{{ tasks.fetsch.result }}", &context).unwrap_err().contains("can't be filled"));
    }
}
