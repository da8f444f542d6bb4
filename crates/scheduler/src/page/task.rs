//! One task: its tries, its result, its log.

use super::{Trouble, badge, page as frame, took};
use crate::outside::Outside;
use axum::{
    extract::{Path, State},
    response::Response,
};
use maud::{Markup, html};
use queue::{AttemptRow, Item, LogLine, ansi};
use uuid::Uuid;

/// More are read by REST.
const ITEMS_SHOWN: usize = 500;
const LINES_SHOWN: i64 = 500;

pub async fn page(
    State(outside): State<Outside>,
    Path((run_id, name)): Path<(Uuid, String)>,
) -> Result<Response, Trouble> {
    let missing = || Trouble::missing(format!("task \"{name}\" in run {run_id}"));
    let run = outside.queue.run(run_id).await?.ok_or_else(missing)?;
    let task = outside
        .queue
        .tasks_explained(run_id)
        .await?
        .into_iter()
        .find(|task| task.name == name)
        .ok_or_else(missing)?;
    let items = outside.queue.items(run_id, &name).await?.map(|items| items.all).unwrap_or_default();
    let attempts = outside.queue.attempts(run_id, &name).await?;
    outside.watched.add(run_id, &name);
    let log = log(&outside, run_id, &name).await?;
    let way = web::crumbs(&[
        ("/", "DAGs"),
        (&format!("/dags/{}", run.dag), &run.dag),
        (&format!("/runs/{run_id}"), "Run"),
    ]);
    let act = |what: &str| format!("/runs/{run_id}/tasks/{name}/{what}");
    let body = html! {
        (way)
        (web::key_value(&[("State", badge(task.state.as_str())), ("Kind", html! { (task.kind) }), ("Took", took(task.started_at, task.ended_at))]))
        @if let Some(reason) = &task.reason { (web::notice(web::Notice::Info, reason)) }
        (web::actions(html! {
            @if task.kind == "approve" && !task.state.is_final() {
                (web::button(&act("approve"), "Approve task"))
                (web::button(&act("reject"), "Reject task"))
            }
            (web::button(&act("clear"), "Run task and what follows again"))
            @for state in ["success", "failed", "skipped"] { (web::button(&act(&format!("mark/{state}")), &format!("Mark {state}"))) }
        }))
        @if !items.is_empty() { (web::section("Items", items_table(run_id, &items))) }
        (web::section("Tries", tries(&attempts)))
        @if let Some(result) = &task.result { (web::section("Result", web::code(&serde_json::to_string_pretty(result).unwrap_or_default()))) }
        (web::section("Log", html! {
            (log)
            p { a href={ "/api/v1/runs/" (run_id) "/tasks/" (name) "/log.txt" } { "The whole log of all tries" } }
        }))
    };
    Ok(frame(&format!("Task {name}"), "Runs", body))
}

fn items_table(run_id: Uuid, items: &[Item]) -> Markup {
    let row = |item: &Item| {
        web::Row::from(vec![
            html! { a href={ "/runs/" (run_id) "/tasks/" (item.name) } { (item.name) } },
            badge(item.state.as_str()),
            html! { (item.reason.as_deref().unwrap_or_default()) },
        ])
    };
    let rows: Vec<_> = items.iter().take(ITEMS_SHOWN).map(row).collect();
    html! {
        @if items.len() > ITEMS_SHOWN { p class="muted" { "The first " (ITEMS_SHOWN) " of " (items.len()) "." } }
        (web::table("items", "Items", &["Item", "State", "Reason"].map(web::Header::from), &rows))
    }
}

fn tries(attempts: &[AttemptRow]) -> Markup {
    let row = |attempt: &AttemptRow| {
        web::Row::from(vec![
            html! { (attempt.attempt) },
            badge(&attempt.state),
            web::time(attempt.started_at),
            took(Some(attempt.started_at), attempt.ended_at),
            html! { (attempt.reason.as_deref().unwrap_or_default()) },
        ])
    };
    let rows: Vec<_> = attempts.iter().map(row).collect();
    web::table("tries", "Tries", &["Try", "State", "Started", "Took", "Reason"].map(web::Header::from), &rows)
}

/// The element that is replaced when the task has logged.
pub fn element(run_id: Uuid, task: &str) -> String {
    format!("log-{run_id}-{task}")
}

/// The last lines. Also sent to open pages.
pub async fn log(outside: &Outside, run_id: Uuid, task: &str) -> Result<Markup, sqlx::Error> {
    let lines = outside.queue.task_log(run_id, task, LINES_SHOWN).await?;
    Ok(html! { div id=(element(run_id, task)) { (text(&lines)) } })
}

fn text(lines: &[LogLine]) -> Markup {
    if lines.is_empty() {
        return html! { p class="muted" { "The task has logged nothing." } };
    }
    html! {
        pre tabindex="0" { code {
            @for line in lines {
                (format!("{}  try {}  {:5}  ", line.at.format("%H:%M:%S%.3f"), line.attempt, line.level))
                @for span in ansi::spans(&line.line) { (coloured(&span)) }
                "\n"
            }
        } }
    }
}

/// As the program wanted it to look.
fn coloured(span: &ansi::Span<'_>) -> Markup {
    let colour = span.colour.map(|colour| format!("ansi-{colour}"));
    let classes: Vec<String> = colour.into_iter().chain(span.bold.then(|| "ansi-bold".to_owned())).collect();
    html! {
        @if classes.is_empty() { (span.text) } @else { span class=(classes.join(" ")) { (span.text) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_in_its_colours_and_as_text() {
        let line = LogLine {
            id: 1,
            attempt: 1,
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
            level: "error".into(),
            line: "\u{1b}[1;31mERROR\u{1b}[0m <b>no</b>".into(),
        };
        let shown = text(&[line]).into_string();
        let expected = "12:00:00.000  try 1  error  <span class=\"ansi-red ansi-bold\">ERROR</span> &lt;b&gt;no&lt;/b&gt;\n";
        assert!(shown.contains(expected), "{shown}");
    }
}
