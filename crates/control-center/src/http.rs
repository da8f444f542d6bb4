//! Addresses: pages, their patches, and the same as JSON under `/api/v1`.

mod api;
mod dead;

pub use dead::Dead;

use crate::{
    live::Live,
    messages::{Asked, BrowseError, Browser, Found, LIMIT},
    pages::{self, View},
    seen::Seen,
};
use axum::{
    Router,
    extract::{Path, Query, State as Held},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::Utc;
use serde::Deserialize;
use service::http::problem;
use std::collections::HashMap;
use tokio::sync::watch;
use web::Notice;

/// What a request needs.
#[derive(Clone)]
pub struct State {
    pub seen: watch::Receiver<Seen>,
    pub live: Live,
    pub browser: Browser,
    pub dead: Dead,
}

impl State {
    fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

pub fn routes(state: State, allowed_hosts: Vec<String>) -> Router {
    let page = |view: View| get(async move |Held(state): Held<State>| show(&view, &state));
    let named = |view: fn(String) -> View| {
        get(async move |Held(state): Held<State>, Path(name): Path<String>| show(&view(name), &state))
    };
    Router::new()
        .route("/", page(View::Overview))
        .route("/topics", page(View::Topics))
        .route("/topics/{name}", named(View::Topic))
        .route("/topics/{name}/messages", get(messages))
        .route("/groups", page(View::Groups))
        .route("/groups/{name}", named(View::Group))
        .route("/schemas", page(View::Schemas))
        .route("/schemas/{name}", named(View::Schema))
        .route("/events", get(events))
        .merge(dead::routes())
        .nest("/api/v1", api::routes())
        .fallback(nowhere)
        .merge(web::assets())
        .layer(web::loopback_only(allowed_hosts))
        .with_state(state)
}

fn show(view: &View, state: &State) -> Response {
    let seen = state.seen();
    let status = if view.is_missing(&seen) { StatusCode::NOT_FOUND } else { StatusCode::OK };
    (status, pages::page(view, &seen, Utc::now())).into_response()
}

async fn nowhere() -> impl IntoResponse {
    let text =
        "There is no such page. Topics, groups and schemas are in the rail; Ctrl K finds them by name.";
    (StatusCode::NOT_FOUND, pages::said("Not found", Notice::Warning, text))
}

#[derive(Deserialize)]
struct Events {
    view: String,
    #[serde(default)]
    name: String,
}

async fn events(Held(state): Held<State>, Query(asked): Query<Events>) -> Response {
    let Some(view) = View::named(&asked.view, &asked.name) else {
        return problem(StatusCode::NOT_FOUND, format!("there is no view \"{}\"", asked.view));
    };
    match state.live.watch(view) {
        Some(patches) => web::live::response(patches),
        None => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many different pages are open, or this process is ending: try again",
        ),
    }
}

async fn messages(
    Held(state): Held<State>,
    Path(topic): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let asked = Asked::parse(&query);
    let shown = asked.clone().unwrap_or_default();
    let limit = shown.limit.unwrap_or(LIMIT).clamp(1, state.browser.messages_max().max(1));
    let (status, found) = match browse(&state, &topic, asked).await {
        Ok(found) => (StatusCode::OK, Ok(found)),
        Err(cause) => (status(&cause), Err(cause.to_string())),
    };
    (status, pages::messages(&topic, &shown, limit, found.as_ref().map_err(String::clone))).into_response()
}

async fn browse(state: &State, topic: &str, asked: Result<Asked, String>) -> Result<Found, BrowseError> {
    let is_avro = state.seen.borrow().subject_of(topic).is_some();
    state.browser.browse(topic, &asked.map_err(BrowseError::Asked)?, is_avro).await
}

fn status(cause: &BrowseError) -> StatusCode {
    match cause {
        BrowseError::Asked(_) => StatusCode::BAD_REQUEST,
        BrowseError::Kafka(kafka::KafkaError::NoTopic { .. }) => StatusCode::NOT_FOUND,
        BrowseError::Busy | BrowseError::Late | BrowseError::Kafka(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
