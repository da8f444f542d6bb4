//! What templates in task settings may name, told when the file is read.

use crate::{Dag, Task};
use std::collections::BTreeSet;

/// What every template may name, besides `params.NAME` and `tasks.NAME.result`.
const NAMES: [&str; 6] =
    ["dag", "run_id", "logical_at", "logical_time", "data_interval_start", "data_interval_end"];
/// What minijinja itself brings.
const BUILT_IN: [&str; 4] = ["range", "dict", "debug", "namespace"];
/// What the templates of a task with `foreach` may name besides.
const OF_AN_ITEM: [&str; 2] = ["item", "map_index"];
/// Of the records that a run is for.
const OF_AN_EVENT: [&str; 4] = ["topic", "from", "to", "records"];
const OF_A_TASK: [&str; 2] = ["result", "state"];

/// The names that a template looks up, with their dots: `tasks.fetch.result.rows`.
pub(crate) fn names(text: &str) -> Result<BTreeSet<String>, String> {
    // Most texts are none, and making an environment takes longer than reading all else of a file.
    if !text.contains('{') {
        return Ok(BTreeSet::new());
    }
    let environment = minijinja::Environment::new();
    let template = environment
        .template_from_str(text)
        .map_err(|cause| format!("the template \"{text}\" is not one: {cause}"))?;
    Ok(template.undeclared_variables(true).into_iter().collect())
}

/// Whether a name is that of an item, or of a part of it.
pub(crate) fn is_of_an_item(name: &str) -> bool {
    OF_AN_ITEM.contains(&name.split('.').next().unwrap_or_default())
}

/// What keeps a name from being known when the task runs.
pub(crate) fn problem(name: &str, task: &Task, dag: &Dag) -> Option<String> {
    let mut parts = name.split('.');
    let root = parts.next().unwrap_or_default();
    let wrong = |cause: String| Some(format!("a template names \"{name}\", {cause}"));
    match (root, parts.next()) {
        (root, _) if NAMES.contains(&root) || BUILT_IN.contains(&root) => None,
        (root, _) if is_of_an_item(root) && task.foreach.is_some() => None,
        (root, _) if is_of_an_item(root) => wrong("but the task has no foreach, which gives items".into()),
        ("params" | "tasks", None) => None,
        // Which are needed is told by the names alone. Whether they are there is told when the task runs: they are set elsewhere.
        ("connections" | "variables", None) => {
            wrong(format!("write {root}.NAME: one at a time can be named"))
        }
        ("connections" | "variables", Some(_)) => None,
        ("params", Some(param)) if dag.settings.params.contains_key(param) => None,
        ("params", Some(param)) => wrong(format!("but the DAG has no [params.{param}]")),
        ("event", _) if dag.settings.on.is_none() => {
            wrong("but no records start this DAG: it has no `on`".into())
        }
        ("event", part) if part.is_none_or(|part| OF_AN_EVENT.contains(&part)) => None,
        ("event", _) => wrong(format!("but an event has only {}", OF_AN_EVENT.join(", "))),
        ("tasks", Some(other)) => of_a_task(other, parts.next(), task, dag).and_then(wrong),
        _ => wrong(format!(
            "which is not there; there are: {}, params.NAME, tasks.NAME.result, connections.NAME.FIELD, variables.NAME",
            NAMES.join(", ")
        )),
    }
}

fn of_a_task(other: &str, part: Option<&str>, task: &Task, dag: &Dag) -> Option<String> {
    if !dag.tasks.contains_key(other) {
        return Some(format!("but the DAG has no task \"{other}\""));
    }
    if let Some(part) = part.filter(|part| !OF_A_TASK.contains(part)) {
        return Some(format!(
            "but a task has no \"{part}\": write tasks.{other}.result or tasks.{other}.state"
        ));
    }
    // Without a way from one to the other, whether there is a result would be a matter of luck.
    (!dag.ancestors(&task.name).contains(other))
        .then(|| format!("but does not wait for it: add \"{other}\" to `after`"))
}

#[cfg(test)]
mod tests;
