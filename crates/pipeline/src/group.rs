//! Groups of tasks: when the file is read, each `group:NAME` becomes the tasks that begin or end the group.

use crate::Dag;
use std::collections::{BTreeMap, BTreeSet};

/// What names a group where tasks are named.
const GROUP: &str = "group:";

/// The tasks of a group that wait for no other of it, and those that no other of it waits for.
#[derive(Default)]
struct Ends {
    roots: BTreeSet<String>,
    leaves: Vec<String>,
}

/// Puts tasks where groups are named. Answers what is wrong, each with the section where it is.
pub(crate) fn resolve(dag: &mut Dag) -> Vec<(String, String)> {
    let mut problems = unknown(dag);
    if !problems.is_empty() {
        return problems;
    }
    let ends: BTreeMap<String, Ends> =
        dag.settings.groups.keys().map(|name| (name.clone(), ends(dag, name))).collect();
    for (name, ends) in ends.iter().filter(|(_, ends)| ends.roots.is_empty()) {
        let cause = if ends.leaves.is_empty() {
            "has no task: write group"
        } else {
            "waits for itself: look at the `after` of the tasks with group"
        };
        problems.push((format!("groups.{name}"), format!("{cause} = \"{name}\"")));
    }
    for task in dag.tasks.values_mut() {
        let group =
            task.group.as_deref().and_then(|name| Some((dag.settings.groups.get(name)?, ends.get(name)?)));
        let of_group =
            group.filter(|(_, ends)| ends.roots.contains(&task.name)).map(|(group, _)| &group.after);
        let named = task.after.iter().chain(of_group.into_iter().flatten());
        let mut after: Vec<String> = vec![];
        for name in named.flat_map(|name| tasks_of(name, &ends)) {
            if !after.contains(&name) {
                after.push(name);
            }
        }
        task.after = after;
    }
    problems
}

fn tasks_of(name: &str, ends: &BTreeMap<String, Ends>) -> Vec<String> {
    match name.strip_prefix(GROUP).and_then(|group| ends.get(group)) {
        Some(ends) => ends.leaves.clone(),
        None => vec![name.to_owned()],
    }
}

fn ends(dag: &Dag, group: &str) -> Ends {
    let members: Vec<_> = dag.tasks.values().filter(|task| task.group.as_deref() == Some(group)).collect();
    let is_member = |name: &String| members.iter().any(|task| task.name == *name);
    let roots = members.iter().filter(|task| !task.after.iter().any(&is_member));
    // As at the end of a run: nobody but teardowns waits for a leaf.
    let only_teardowns = members.iter().all(|task| !task.teardown.is_empty());
    let decides = |task: &crate::Task| only_teardowns || task.teardown.is_empty();
    let waited_for = |name: &String| members.iter().any(|other| decides(other) && other.after.contains(name));
    let leaves = members.iter().filter(|task| decides(task) && !waited_for(&task.name));
    Ends {
        roots: roots.map(|task| task.name.clone()).collect(),
        leaves: leaves.map(|task| task.name.clone()).collect(),
    }
}

fn unknown(dag: &Dag) -> Vec<(String, String)> {
    let groups = &dag.settings.groups;
    let mut problems = vec![];
    let mut named = |section: String, after: &[String], own: Option<&str>| {
        for group in after.iter().filter_map(|name| name.strip_prefix(GROUP)) {
            if !groups.contains_key(group) {
                problems.push((section.clone(), no_group(group)));
            } else if own == Some(group) {
                problems.push((section.clone(), format!("waits for the group \"{group}\", which it is in")));
            }
        }
    };
    for task in dag.tasks.values() {
        named(format!("tasks.{}", task.name), &task.after, task.group.as_deref());
    }
    for (name, group) in groups {
        named(format!("groups.{name}"), &group.after, Some(name));
    }
    for (name, group) in groups {
        for task in
            group.after.iter().filter(|task| !task.starts_with(GROUP) && !dag.tasks.contains_key(*task))
        {
            problems.push((
                format!("groups.{name}"),
                format!("names the task \"{task}\", which is not declared"),
            ));
        }
    }
    for task in dag.tasks.values() {
        if let Some(group) = task.group.as_ref().filter(|group| !groups.contains_key(*group)) {
            problems.push((format!("tasks.{}", task.name), no_group(group)));
        }
    }
    problems
}

fn no_group(name: &str) -> String {
    format!("names the group \"{name}\", which is not declared: write [groups.{name}]")
}

#[cfg(test)]
mod tests;
