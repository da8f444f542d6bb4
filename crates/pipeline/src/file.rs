//! `pipeline.toml` and the DAG files, from text to definitions.

use crate::{
    Bundle, Dag, Job, Kind, Pipeline, Problem, Source, Stream, TASKS_MAX, Table, Task,
    dag::Settings,
    group,
    problem::line_of,
    task::{SHARED, Shared},
    template,
};
use model::{Break, Guards};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

const PIPELINE: &str = "pipeline.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PipelineFile {
    #[serde(default)]
    sources: BTreeMap<String, Source>,
    #[serde(default)]
    streams: BTreeMap<String, Stream>,
    #[serde(default)]
    jobs: BTreeMap<String, Job>,
    #[serde(default)]
    tables: BTreeMap<String, Table>,
}

pub(crate) fn parse(bundle: &Bundle, guards: Guards) -> Result<Pipeline, Vec<Problem>> {
    let (mut pipeline, mut problems) = parse_without_dags(bundle)?;
    for (path, text) in
        bundle.files.iter().filter(|(path, _)| path.starts_with("dags/") && path.ends_with(".toml"))
    {
        match parse_dag(bundle, path, text, guards) {
            Ok(dag) => drop(pipeline.dags.insert(dag.name.clone(), dag)),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(pipeline) } else { Err(problems) }
}

/// Answers what is wrong, too: whoever reads the DAGs tells all of it at once.
pub(crate) fn parse_without_dags(bundle: &Bundle) -> Result<(Pipeline, Vec<Problem>), Vec<Problem>> {
    let shown = bundle.shown(PIPELINE);
    let text =
        bundle.files.get(PIPELINE).ok_or_else(|| vec![Problem::new(&shown, 1, "the file is missing")])?;
    let file: PipelineFile =
        toml::from_str(text).map_err(|cause| vec![Problem::toml(&shown, text, &cause)])?;
    let mut pipeline = Pipeline {
        name: bundle.name.clone(),
        version: bundle.hash(),
        sources: file.sources,
        streams: file.streams,
        jobs: file.jobs,
        tables: file.tables,
        dags: BTreeMap::new(),
    };
    name_all(&mut pipeline);
    let problems = read_named_files(&mut pipeline, bundle, text);
    Ok((pipeline, problems))
}

fn name_all(pipeline: &mut Pipeline) {
    for (name, source) in &mut pipeline.sources {
        source.name.clone_from(name);
    }
    for (name, stream) in &mut pipeline.streams {
        stream.name.clone_from(name);
    }
    for (name, job) in &mut pipeline.jobs {
        job.name.clone_from(name);
    }
    for (name, table) in &mut pipeline.tables {
        table.name.clone_from(name);
    }
}

/// Puts the text of `.avsc` and `.sql` files where they are named.
fn read_named_files(pipeline: &mut Pipeline, bundle: &Bundle, text: &str) -> Vec<Problem> {
    let mut problems = vec![];
    let mut read = |section: &str, named: &str| match bundle.files.get(named) {
        Some(content) => content.clone(),
        None => {
            let line = line_of_section(text, section);
            problems.push(Problem::new(
                bundle.shown(PIPELINE),
                line,
                format!("[{section}] names the file \"{named}\", which is not in the folder"),
            ));
            String::new()
        }
    };
    for stream in pipeline.streams.values_mut() {
        stream.avsc = read(&format!("streams.{}", stream.name), &stream.schema);
    }
    for job in pipeline.jobs.values_mut() {
        job.text = read(&format!("jobs.{}", job.name), &job.sql);
    }
    problems
}

/// The line of `[section]`, or 1.
pub(crate) fn line_of_section(text: &str, section: &str) -> usize {
    text.lines()
        .position(|line| line.trim_start().starts_with(&format!("[{section}]")))
        .map_or(1, |index| index + 1)
}

fn parse_dag(bundle: &Bundle, path: &str, text: &str, guards: Guards) -> Result<Dag, Vec<Problem>> {
    let shown = bundle.shown(path);
    let wrong = |cause: &toml::de::Error| vec![Problem::toml(&shown, text, cause)];
    // The tasks are taken out first: their keys depend on their kind.
    let mut table: toml::Table = toml::from_str(text).map_err(|cause| wrong(&cause))?;
    #[derive(Deserialize)]
    struct Tasks {
        #[serde(default)]
        tasks: BTreeMap<String, Spanned<toml::Table>>,
    }
    let tasks: Tasks = toml::from_str(text).map_err(|cause| wrong(&cause))?;
    table.remove("tasks");
    let many = tasks.tasks.len();
    if many > TASKS_MAX && !guards.lack(Break::ManyTasks) {
        let told = format!(
            "it has {many} tasks, more than {TASKS_MAX}: make several DAGs of it, or give a task a foreach"
        );
        return Err(vec![Problem::new(&shown, 1, told)]);
    }
    let settings: Settings =
        retry_with_lines(text, table).map_err(|(line, message)| vec![Problem::new(&shown, line, message)])?;
    let mut problems = vec![];
    let mut parsed = BTreeMap::new();
    for (name, spanned) in tasks.tasks {
        let from = spanned.span().start;
        match parse_task(&name, spanned.into_inner(), bundle) {
            Ok(task) => drop(parsed.insert(name, task)),
            Err((key, message)) => problems.push(Problem::new(
                &shown,
                line_of_key(text, from, key.as_deref()),
                format!("task \"{name}\": {message}"),
            )),
        }
    }
    let name = path.trim_start_matches("dags/").trim_end_matches(".toml").to_owned();
    let mut dag = Dag { name, settings, tasks: parsed };
    let grouped = group::resolve(&mut dag).into_iter();
    problems.extend(grouped.map(|(section, message)| {
        Problem::new(&shown, line_of_section(text, &section), format!("[{section}] {message}"))
    }));
    if problems.is_empty() { Ok(dag) } else { Err(problems) }
}

/// Reads a table that was taken out of a text; an error's line is found again by the key that it names.
fn retry_with_lines<T: DeserializeOwned>(text: &str, table: toml::Table) -> Result<T, (usize, String)> {
    let keys: Vec<String> = table.keys().cloned().collect();
    table.try_into().map_err(|cause: toml::de::Error| {
        let message = cause.message().replace('\n', " ");
        let shown = cause.to_string();
        let key = keys.iter().find(|key| shown.contains(&format!("`{key}`"))).cloned();
        (line_of_key(text, 0, key.as_deref()), message)
    })
}

/// The line of `key = …` after `from`, or the line of `from`.
fn line_of_key(text: &str, from: usize, key: Option<&str>) -> usize {
    let first = line_of(text, from);
    let Some(key) = key else { return first };
    let is_it = |line: &str| {
        line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
    };
    text.lines().skip(first - 1).position(is_it).map_or(first, |index| first + index)
}

fn parse_task(name: &str, table: toml::Table, bundle: &Bundle) -> Result<Task, (Option<String>, String)> {
    let mut names = names_in(&toml::Value::Table(table.clone()))?;
    let (shared, own): (toml::Table, toml::Table) =
        table.into_iter().partition(|(key, _)| SHARED.contains(&key.as_str()));
    for key in ["when", "foreach"] {
        // They are asked once, before there is an item.
        let named = shared.get(key).map_or(Ok(BTreeSet::new()), names_in)?;
        if let Some(item) = named.iter().find(|name| template::is_of_an_item(name)) {
            return Err((
                Some(key.into()),
                format!("`{key}` is asked before there is an item: it can't name \"{item}\""),
            ));
        }
    }
    let shared: Shared = read_part(shared)?;
    let mut kind: Kind = read_part(own)?;
    if let Kind::Sql { statement, file, text } = &mut kind {
        *text = match (statement, file) {
            (Some(statement), None) => statement.clone(),
            (None, Some(file)) => {
                let missing =
                    || (Some("file".to_owned()), format!("the file \"{file}\" is not in the folder"));
                bundle.files.get(file.as_str()).cloned().ok_or_else(missing)?
            }
            _ => return Err((None, "write either `statement` or `file`".into())),
        };
        names.extend(template::names(text).map_err(|message| (None, message))?);
    }
    Ok(shared.task(name, names, kind))
}

/// Each text of a task may be a template.
fn names_in(value: &toml::Value) -> Result<BTreeSet<String>, (Option<String>, String)> {
    let all = |items: &mut dyn Iterator<Item = &toml::Value>| {
        let mut names = BTreeSet::new();
        for item in items {
            names.extend(names_in(item)?);
        }
        Ok(names)
    };
    match value {
        toml::Value::String(text) => template::names(text).map_err(|message| (None, message)),
        toml::Value::Array(items) => all(&mut items.iter()),
        toml::Value::Table(table) => all(&mut table.values()),
        _ => Ok(BTreeSet::new()),
    }
}

fn read_part<T: DeserializeOwned>(table: toml::Table) -> Result<T, (Option<String>, String)> {
    let keys: Vec<String> = table.keys().cloned().collect();
    table.try_into().map_err(|cause: toml::de::Error| {
        let shown = cause.to_string();
        let key = keys.into_iter().find(|key| shown.contains(&format!("`{key}`")));
        (key, cause.message().replace('\n', " "))
    })
}
