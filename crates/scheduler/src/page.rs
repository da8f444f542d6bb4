//! The pages: DAGs, a DAG's runs, a run with its tasks, a task with its log.

pub mod act;
mod backfills;
pub mod dags;
mod doc;
pub mod run;
pub mod runs;
pub mod task;

use crate::outside::Outside;
use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use maud::{Markup, html};
use tokio::sync::broadcast;
use web::live::Patch;

pub fn routes(outside: Outside, patches: broadcast::Sender<Patch>) -> Router {
    Router::new()
        .route("/", get(dags::page))
        .route("/runs", get(runs::page))
        .route("/dags/{dag}", get(runs::dag_page))
        .route("/dags/{dag}/trigger", post(act::trigger))
        .route("/dags/{dag}/pause", post(act::pause))
        .route("/dags/{dag}/unpause", post(act::unpause))
        .route("/backfills/{id}/{what}", post(backfills::act))
        .route("/runs/{run_id}", get(run::page))
        .route("/runs/{run_id}/cancel", post(act::cancel))
        .route("/runs/{run_id}/clear", post(act::clear))
        .route("/runs/{run_id}/tasks/{task}", get(task::page))
        .route("/runs/{run_id}/tasks/{task}/approve", post(act::approve))
        .route("/runs/{run_id}/tasks/{task}/reject", post(act::reject))
        .route("/runs/{run_id}/tasks/{task}/clear", post(act::clear_task))
        .route("/runs/{run_id}/tasks/{task}/mark/{state}", post(act::mark_task))
        .route("/events", get(move || async move { web::live::response(patches.subscribe()) }))
        .with_state(outside)
}

/// A page of ours around `body`.
fn page(title: &str, active: &str, body: Markup) -> Response {
    let nav = [("/", "DAGs"), ("/runs", "Runs")]
        .map(|(href, label)| web::NavItem::new(href, label, label == active));
    web::Page {
        title: title.into(),
        product: "Scheduler",
        nav: nav.into(),
        live: Some("/events".into()),
        body,
    }
    .into_response()
}

/// Why a page can't be shown.
pub struct Trouble(pub StatusCode, pub String);

impl Trouble {
    fn missing(what: impl std::fmt::Display) -> Self {
        Trouble(StatusCode::NOT_FOUND, format!("There is no {what}: correct the address."))
    }
}

/// The character 0 in a text or in JSON, and an instant that no calendar has.
const CANNOT_BE_STORED: [&str; 3] = ["22021", "22P05", "22008"];

impl From<sqlx::Error> for Trouble {
    fn from(cause: sqlx::Error) -> Self {
        if let Some(told) = cause
            .as_database_error()
            .filter(|told| told.code().is_some_and(|code| CANNOT_BE_STORED.contains(&&*code)))
        {
            let told =
                format!("PostgreSQL can't take a value of the request: {}. Correct it.", told.message());
            return Trouble(StatusCode::BAD_REQUEST, told);
        }
        Trouble(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("PostgreSQL did not answer: {cause}. The page comes back with it."),
        )
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut answer = page("Not to be shown", "", html! { (web::notice(web::Notice::Error, &self.1)) });
        *answer.status_mut() = self.0;
        answer
    }
}

async fn find_dag(outside: &Outside, name: &str) -> Result<queue::DagRow, Trouble> {
    outside.queue.dag(name).await?.ok_or_else(|| Trouble::missing(format!("DAG \"{name}\"")))
}

/// A run's or task's state as a badge.
fn badge(word: &str) -> Markup {
    match web::State::of(word) {
        Some(state) => web::state_as(state, &word.replace('_', " ")),
        None => html! { (word) },
    }
}

/// How long something took, or takes until now.
fn took(
    started: Option<chrono::DateTime<chrono::Utc>>,
    ended: Option<chrono::DateTime<chrono::Utc>>,
) -> Markup {
    match (started, ended) {
        (Some(started), Some(ended)) => web::duration((ended - started).to_std().unwrap_or_default()),
        (Some(started), None) => web::elapsed(started, chrono::Utc::now()),
        (None, _) => html! { "–" },
    }
}
