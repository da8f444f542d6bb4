//! One run, with its tasks live.

use super::{Trouble, badge, page as frame, took};
use crate::outside::Outside;
use axum::{
    extract::{Path, State},
    response::Response,
};
use maud::{Markup, html};
use model::TaskState;
use pipeline::Dag;
use queue::{ActionRow, RunRow, TaskRow};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// More are read by command.
const ACTIONS_SHOWN: i64 = 50;

pub async fn page(State(outside): State<Outside>, Path(run_id): Path<Uuid>) -> Result<Response, Trouble> {
    let (dag, body) =
        part(&outside, run_id).await?.ok_or_else(|| Trouble::missing(format!("run {run_id}")))?;
    let way = web::crumbs(&[("/", "DAGs"), (&format!("/dags/{dag}"), &dag)]);
    Ok(frame(&format!("Run of {dag}"), "Runs", html! { (way) (body) }))
}

/// The element that is replaced when the run changes.
pub fn element(run_id: Uuid) -> String {
    format!("run-{run_id}")
}

/// The DAG's name and the run's part of the page. Also sent to open pages.
pub async fn part(outside: &Outside, run_id: Uuid) -> Result<Option<(String, Markup)>, sqlx::Error> {
    let Some(run) = outside.queue.run(run_id).await? else { return Ok(None) };
    let tasks = outside.queue.tasks_explained(run_id).await?;
    let notices = outside.queue.notices(run_id).await?;
    let actions = outside.queue.actions(None, Some(run_id), ACTIONS_SHOWN).await?;
    let edges = outside.queue.edges(run_id).await?;
    // Which group a task is in, its version says; one that can't be read any more has none.
    let version = outside.version(&run.pipeline, &run.hash).await.ok();
    let groups =
        version.as_ref().and_then(|version| version.dags.get(&run.dag)).map(groups).unwrap_or_default();
    let figures = figures(&tasks);
    let (items, tasks): (Vec<TaskRow>, Vec<TaskRow>) =
        tasks.into_iter().partition(|task| task.map_of.is_some());
    let html = html! {
        div id=(element(run_id)) class="stack" {
            (head(&run))
            @for notice in &notices { (web::notice(web::Notice::Warning, &notice.text)) }
            (figures)
            (picture(run_id, &tasks, &edges))
            (web::section("Tasks", table(run_id, &tasks, &items, &groups)))
            @if !actions.is_empty() { (web::section("By hand", by_hand(&actions))) }
        }
    };
    Ok(Some((run.dag, html)))
}

fn head(run: &RunRow) -> Markup {
    let act = |what: &str| format!("/runs/{}/{what}", run.id);
    html! {
        @if let Some(reason) = &run.reason { (web::notice(web::Notice::Error, reason)) }
        (web::key_value(&facts(run)))
        (web::actions(html! {
            @if run.state.is_final() && run.state != model::RunState::Success { (web::button(&act("clear"), "Run failed tasks again")) }
            @if !run.state.is_final() { (web::button(&act("cancel"), "Cancel run")) }
        }))
    }
}

/// What there is to say of a run: an interval and parameters only where it has some.
fn facts(run: &RunRow) -> Vec<(&'static str, Markup)> {
    let interval = run.interval_start.zip(run.interval_end);
    let params = run.params.as_object().filter(|params| !params.is_empty());
    let facts = [
        Some(("State", badge(run.state.as_str()))),
        Some(("Logical time", web::time(run.logical_at))),
        interval.map(|(from, to)| ("Interval", html! { (web::time(from)) " to " (web::time(to)) })),
        Some(("Cause", html! { (run.cause) })),
        params.map(|params| {
            ("Parameters", html! { @for (name, value) in params { (name) " = " (value) " " } })
        }),
        Some(("Took", took(run.started_at, run.ended_at))),
        Some(("Run", web::id(&run.id.to_string()))),
        Some(("Version", html! { (run.pipeline) " " (web::id(&run.hash)) })),
    ];
    facts.into_iter().flatten().collect()
}

/// The counts that the tasks' results have, added up where several have the same.
fn figures(tasks: &[TaskRow]) -> Markup {
    const SHOWN: [(&str, &str); 5] = [
        ("fetched", "Fetched"),
        ("delivered", "Delivered"),
        ("rejected", "Rejected"),
        ("ids", "Ids verified"),
        ("dead", "In the dead letters"),
    ];
    let sum = |key: &str| {
        let values = tasks
            .iter()
            .filter(|task| task.kind != "report")
            .filter_map(|task| task.result.as_ref()?.get(key)?.as_u64());
        values.reduce(|a, b| a + b)
    };
    let shown: Vec<web::Figure> = SHOWN
        .iter()
        .filter_map(|(key, label)| {
            Some(web::Figure { label: (*label).into(), value: web::count(sum(key)?), note: html! {} })
        })
        .collect();
    html! { @if !shown.is_empty() { (web::figures(&shown)) } }
}

fn picture(run_id: Uuid, tasks: &[TaskRow], edges: &[(String, String)]) -> Markup {
    let node = |task: &TaskRow| web::Node {
        id: task.name.clone(),
        label: task.name.clone(),
        href: Some(format!("/runs/{run_id}/tasks/{}", task.name)),
        state: web::State::of(word(task)),
        note: Some(task.kind.clone()),
    };
    let edge = |(from, to): &(String, String)| web::Edge { from: from.clone(), to: to.clone(), label: None };
    // Items are shown with their task.
    let shown = |name: &str| pipeline::item_of(name).is_none();
    web::graph(
        "graph",
        "Tasks and what they wait for",
        &tasks.iter().map(node).collect::<Vec<_>>(),
        &edges.iter().filter(|(from, _)| shown(from)).map(edge).collect::<Vec<_>>(),
    )
}

/// A task that has looked and will look again is told from one that has not begun.
fn word(task: &TaskRow) -> &'static str {
    if task.deferred && task.state == TaskState::Ready { "deferred" } else { task.state.as_str() }
}

fn groups(dag: &Dag) -> BTreeMap<String, String> {
    dag.tasks.values().filter_map(|task| Some((task.name.clone(), task.group.clone()?))).collect()
}

/// Items are counted here, and shown with their task.
fn table(run_id: Uuid, tasks: &[TaskRow], items: &[TaskRow], groups: &BTreeMap<String, String>) -> Markup {
    let row = |task: &TaskRow| {
        let of_it: Vec<_> = items.iter().filter(|item| item.map_of.as_ref() == Some(&task.name)).collect();
        let ended = of_it.iter().filter(|item| item.state.is_final()).count();
        web::Row::with_id(
            format!("task-{}", task.name),
            vec![
                html! { a href={ "/runs/" (run_id) "/tasks/" (task.name) } { (task.name) } },
                badge(word(task)),
                html! { (task.kind) @if !of_it.is_empty() { ", " (ended) " of " (of_it.len()) " items" } @if let Some(group) = groups.get(&task.name) { ", group " (group) } },
                html! { (task.attempt) },
                took(task.started_at, task.ended_at),
                html! { (task.reason.clone().or_else(|| task.result.as_ref().map(brief)).unwrap_or_default()) },
            ],
        )
    };
    let mut sorted: Vec<&TaskRow> = tasks.iter().collect();
    sorted.sort_by_key(|task| (task.started_at.is_none(), task.started_at));
    let rows: Vec<_> = sorted.into_iter().map(row).collect();
    let headers = ["Task", "State", "Kind", "Try", "Took", "Result or reason"].map(web::Header::from);
    web::table("tasks-table", "Tasks", &headers, &rows)
}

/// Who did what, and why.
fn by_hand(actions: &[ActionRow]) -> Markup {
    let row = |action: &ActionRow| {
        web::Row::from(vec![
            web::time(action.at),
            html! { (action.who) },
            html! { (action.what) " " (action.task.as_deref().unwrap_or_default()) },
            html! { (action.why.as_deref().unwrap_or("–")) },
        ])
    };
    let rows: Vec<_> = actions.iter().map(row).collect();
    web::table("actions-table", "By hand", &["When", "Who", "What", "Why"].map(web::Header::from), &rows)
}

/// The numbers of a result, in one line.
pub fn brief(result: &Value) -> String {
    let Value::Object(fields) = result else { return String::new() };
    let shown = fields.iter().filter_map(|(key, value)| value.as_u64().map(|n| format!("{key} {n}")));
    shown.take(5).collect::<Vec<_>>().join(", ")
}
