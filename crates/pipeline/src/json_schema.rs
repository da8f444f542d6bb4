//! The JSON Schema of a DAG file, for editors.
//!
//! It is written by hand beside the parser, so that it can say what each key is for; tests hold that it knows the parser's keys and
//! no others.

mod reference;
mod task;

pub use reference::reference;

use serde_json::{Map, Value, json};

/// One key: its name, what it may be, and what it is for.
pub(crate) type Key = (&'static str, Value, &'static str);

/// The schema of a DAG file.
pub fn dag() -> Value {
    let mut schema = object(settings(), &[]);
    schema["properties"]["tasks"] = map(task::any());
    schema["properties"]["tasks"]["description"] = "The tasks, by name.".into();
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "DAG",
        "description": "One file is one DAG of Millrace; its name is the file's.",
    });
    merged(head, schema)
}

pub(crate) fn settings() -> Vec<Key> {
    let schedule = json!({ "anyOf": [text(), texts(), object(schedule(), &[])] });
    let catchup = json!({ "anyOf": [words(&["none", "latest", "all"]), object(vec![("max", whole(1), "The latest so many.")], &["max"])] });
    vec![
        (
            "schedule",
            schedule,
            "When it is due: cron, \"@daily\", a list of them, or a table. Without it the DAG runs when it is triggered.",
        ),
        (
            "timezone",
            text(),
            "Whose wall clock the schedule means, of the IANA database; \"UTC\" by default.",
        ),
        (
            "dst_overlap",
            words(&["first", "last", "both"]),
            "Which of two equal times of the night in autumn is meant.",
        ),
        ("catchup", catchup, "Which of the times that passed unseen are run; \"latest\" by default."),
        (
            "on_unpause",
            words(&["next", "latest"]),
            "Which of the times that passed during a pause are run; as catchup by default.",
        ),
        ("stale_after", span(), "So long after it was due, a run is told and not started."),
        (
            "interval",
            flag(),
            "Whether a run is for the time from one due time to the next, and fires at its end.",
        ),
        ("start", text(), "Nothing runs before, and intervals are counted from it; RFC 3339."),
        (
            "run_immediately",
            json!({ "anyOf": [flag(), span()] }),
            "Whether a run is made when the DAG is first published.",
        ),
        ("after_dag", texts(), "DAGs whose successes it follows."),
        ("on", object(on(), &["stream"]), "Records of a stream that start runs."),
        (
            "notify",
            texts(),
            "Who is told of failures, deadlines and recoveries: names of the scheduler's [notifications].",
        ),
        ("max_active_runs", whole(0), "Runs that are open at once; 1 by default."),
        ("max_active_tasks", whole(0), "Tasks of the DAG that run at once, over all its runs."),
        ("timeout", span(), "A run that takes longer fails."),
        ("deadline", span(), "Counted from the run's start; told once, and the run goes on."),
        ("params", map(object(param(), &["type"])), "What a trigger may say, by name."),
        ("groups", map(object(group(), &[])), "Tasks that are waited for, and wait, as one; by name."),
        ("paused", flag(), "How the DAG is published for the first time."),
        ("tags", texts(), "Shown to people."),
        ("owner", text(), "Shown to people."),
        ("doc", text(), "Shown to people; Markdown."),
    ]
}

fn schedule() -> Vec<Key> {
    vec![
        ("cron", json!({ "anyOf": [text(), texts()] }), "Cron expressions of five or six fields."),
        ("every", text(), "\"90m\", or by the calendar \"1 month\"."),
        ("dates", texts(), "Instants, in the DAG's time zone or with an offset of their own."),
    ]
}

pub(crate) fn on() -> Vec<Key> {
    vec![
        ("stream", text(), "Whose records start runs."),
        (
            "at_least",
            whole(0),
            "A run starts when so many records are there that were in no run; 1 by default.",
        ),
        ("within", span(), "With fewer too, when the first of them has waited so long."),
        (
            "from",
            words(&["end", "beginning"]),
            "Whether the first run begins with what is kept; by default it does not.",
        ),
    ]
}

pub(crate) fn group() -> Vec<Key> {
    vec![("after", texts(), "What the first tasks of the group wait for: tasks, or \"group:NAME\".")]
}

pub(crate) fn param() -> Vec<Key> {
    let number = || json!({ "type": "number" });
    vec![
        ("type", words(&["string", "integer", "number", "boolean", "array"]), "What it is."),
        ("default", json!({}), "Taken where a run is made without it; a DAG with a schedule needs one."),
        ("enum", json!({ "type": "array" }), "The only values that are allowed."),
        ("minimum", number(), "Of a number, included."),
        ("maximum", number(), "Of a number, included."),
        ("minLength", whole(0), "Of a string, in characters."),
        ("maxLength", whole(0), "Of a string, in characters."),
        ("minItems", whole(0), "Of an array."),
        ("maxItems", whole(0), "Of an array."),
        ("description", text(), "Shown to people."),
    ]
}

/// Airflow's thirteen.
pub(crate) const RULES: [&str; 13] = [
    "all_success",
    "all_failed",
    "all_done",
    "all_done_setup_success",
    "all_done_min_one_success",
    "one_success",
    "one_failed",
    "one_done",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "all_skipped",
    "always",
];

fn text() -> Value {
    json!({ "type": "string" })
}

fn texts() -> Value {
    json!({ "type": "array", "items": text() })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

fn whole(least: i64) -> Value {
    json!({ "type": "integer", "minimum": least })
}

/// `"90s"`, `"10m"`, `"1h 30m"`: what `model::span` reads.
fn span() -> Value {
    json!({ "type": "string", "description": "A duration such as \"90s\", \"10m\" or \"2h\"." })
}

fn words(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn map(values: Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

/// An object with these keys and no others.
fn object(keys: Vec<Key>, required: &[&str]) -> Value {
    let property =
        |(name, schema, told): Key| (name.to_owned(), merged(schema, json!({ "description": told })));
    let properties: Map<String, Value> = keys.into_iter().map(property).collect();
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// The second's keys go before the first's.
fn merged(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Object(mut first), Value::Object(second)) => {
            first.extend(second);
            first.into()
        }
        (_, second) => second,
    }
}

#[cfg(test)]
mod tests;
