//! What was told of runs, and what could not be.

use super::{Answer, Problem};
use crate::{outside::Outside, page::Trouble};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use serde::Deserialize;
use serde_json::json;

pub fn routes() -> Router<Outside> {
    Router::new().route("/api/v1/notifications", get(list))
}

/// Which notifications.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    state: Option<String>,
    limit: Option<i64>,
    before: Option<i64>,
}

/// Notifications of one answer.
const SHOWN_MAX: i64 = 1_000;

#[utoipa::path(get, path = "/api/v1/notifications", params(("state" = Option<String>, Query, description = "waiting, sent or failed"), ("before" = Option<i64>, Query, description = "Only those older than the one of this id: the last of a page asks for the next"), ("limit" = Option<i64>, Query, description = "At most 1000; 100 where absent")),
    responses((status = 200, description = "The newest first: what was told to whom, how often it was tried, and what kept the last try from going out"), (status = 422, description = "Not a state of a notification")))]
pub async fn list(State(outside): State<Outside>, Query(which): Query<Which>) -> Answer {
    let state = which.state.as_deref();
    if let Some(other) = state.filter(|state| !["waiting", "sent", "failed"].contains(state)) {
        let told = format!("a notification is never \"{other}\": write waiting, sent or failed");
        return Err(Problem(Trouble(StatusCode::UNPROCESSABLE_ENTITY, told)));
    }
    let limit = which.limit.unwrap_or(100).clamp(1, SHOWN_MAX);
    Ok(Json(json!(outside.queue.notifications(state, which.before, limit).await?)))
}
