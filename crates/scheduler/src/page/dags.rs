//! The first page: every DAG, and what keeps edits from being published.

use super::{Trouble, badge, page as frame, took};
use crate::outside::Outside;
use axum::{
    extract::{Query, State},
    response::Response,
};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Recent runs that are shown as a row of marks.
const RECENT: i64 = 300;
const MARKS: usize = 12;

/// Which DAGs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    tag: Option<String>,
}

pub async fn page(State(outside): State<Outside>, Query(which): Query<Which>) -> Result<Response, Trouble> {
    let problems = pipeline::published::problems(outside.queue.pool()).await?;
    let body = html! {
        @for problem in &problems { (web::notice(web::Notice::Error, format!("Not published: {problem}"))) }
        @match which.tag {
            // What is sent to open pages is all of them: this page is not redrawn.
            Some(tag) => { p { "With the tag " (tag) ". " a href="/" { "All DAGs" } } (table_of(&outside, Some(&tag)).await?) }
            None => (table(&outside).await?)
        }
    };
    Ok(frame("DAGs", "DAGs", body))
}

/// Also sent to open pages, as `dags`.
pub async fn table(outside: &Outside) -> Result<Markup, sqlx::Error> {
    Ok(html! { div id="dags" { (table_of(outside, None).await?) } })
}

async fn table_of(outside: &Outside, tag: Option<&String>) -> Result<Markup, sqlx::Error> {
    let mut dags = outside.queue.dags().await?;
    if let Some(tag) = tag {
        let about = outside.queue.about().await?;
        dags.retain(|dag| about.get(&dag.name).is_some_and(|about| about.tags.contains(tag)));
    }
    let mut recent: BTreeMap<String, Vec<queue::RunRow>> = BTreeMap::new();
    for run in outside.queue.runs(None, RECENT).await? {
        recent.entry(run.dag.clone()).or_default().push(run);
    }
    let rows: Vec<web::Row> =
        dags.iter().map(|dag| row(dag, recent.get(&dag.name).map_or(&[], Vec::as_slice))).collect();
    let headers = ["DAG", "Last run", "Took", "Recent", "Next look", "Pipeline", ""].map(web::Header::from);
    Ok(if rows.is_empty() {
        web::empty("No DAG is published yet.", "millrace check")
    } else {
        web::table("dags-table", "DAGs", &headers, &rows)
    })
}

fn row(dag: &queue::DagRow, runs: &[queue::RunRow]) -> web::Row {
    let last = runs.first();
    let marks = html! {
        span class="marks" {
            @for run in runs.iter().take(MARKS).rev() {
                a href={ "/runs/" (run.id) } { (web::mark(web::State::of(run.state.as_str()).unwrap_or(web::State::Stale), &format!("{} {}", run.state, run.logical_at))) }
            }
        }
    };
    let next = match (dag.paused, dag.next_at) {
        (true, _) => badge("paused"),
        (false, Some(next)) => web::time(next),
        (false, None) => html! { "by hand" },
    };
    web::Row::with_id(
        format!("dag-{}", dag.name),
        vec![
            html! { a href={ "/dags/" (dag.name) } { (dag.name) } },
            last.map_or_else(|| html! { "–" }, |run| html! { a href={ "/runs/" (run.id) } { (badge(run.state.as_str())) } " " (web::time(run.made_at)) }),
            last.map_or_else(|| html! { "–" }, |run| took(run.started_at, run.ended_at)),
            marks,
            next,
            html! { (dag.pipeline) },
            web::button(&format!("/dags/{}/trigger", dag.name), "Trigger"),
        ],
    )
}
