//! Ranges of due times, asked for, looked at, held back and ended.

use super::{
    Answer, Problem,
    hand::{Body, Hand, by},
    missing,
};
use crate::{backfill, outside::Outside, page::Trouble};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use queue::{By, NewBackfill, Reprocess};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

pub fn routes() -> Router<Outside> {
    Router::new()
        .route("/api/v1/dags/{dag}/backfill", post(short))
        .route("/api/v1/backfills", get(list).post(make))
        .route("/api/v1/backfills/{id}", get(show))
        .route("/api/v1/backfills/{id}/pause", post(pause))
        .route("/api/v1/backfills/{id}/resume", post(resume))
        .route("/api/v1/backfills/{id}/cancel", post(cancel))
}

/// Which due times of a DAG, and how.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    dag: String,
    from: DateTime<Utc>,
    /// Included.
    to: DateTime<Utc>,
    /// Which of the runs that are there run again: none (where absent), failed, all.
    #[serde(default)]
    #[schema(value_type = String)]
    reprocess: Reprocess,
    /// Of its runs, so many are open at once; 1 to 100, 4 where absent.
    max_active: Option<u32>,
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
    who: Option<String>,
    why: Option<String>,
}

/// Beside what is due now, which has its places of its own.
const ACTIVE: u32 = 4;

#[utoipa::path(post, path = "/api/v1/backfills", request_body = Asked,
    responses((status = 200, description = "{backfill: its id, null where there is nothing to do; made: [logical times that got a run], again: how many run again, there: how many are left as they are}; of a dry run {runs: [{logical_time, interval_start, interval_end, run_id, state, what: make, again or leave}]}"), (status = 404, description = "No such DAG"), (status = 422, description = "More than 1000 runs, or a wrong value")))]
pub async fn make(State(outside): State<Outside>, Json(asked): Json<Asked>) -> Answer {
    let by = Hand { who: asked.who, why: asked.why }.by()?;
    let runs = backfill::runs(&outside, &asked.dag, asked.from, asked.to).await?;
    if asked.dry_run {
        return Ok(Json(json!({ "runs": backfill::list(&outside, &runs, asked.reprocess).await? })));
    }
    let asked = NewBackfill {
        dag: asked.dag,
        from: asked.from,
        to: asked.to,
        reprocess: asked.reprocess,
        max_active: asked.max_active.unwrap_or(ACTIVE),
    };
    let (done, made) = backfill::backfill(&outside, &asked, &runs, &by).await?;
    let left = runs.len() - made.len() - done.again;
    Ok(Json(json!({ "backfill": done.id, "made": made, "again": done.again, "there": left })))
}

/// Which due times.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    from: DateTime<Utc>,
    /// Included.
    to: DateTime<Utc>,
}

#[utoipa::path(post, path = "/api/v1/dags/{dag}/backfill", request_body = Range, params(("dag" = String, Path, description = "Its name")),
    responses((status = 200, description = "As POST /api/v1/backfills with nothing else said: {made: [logical times that got a run], there: how many had one}"), (status = 404, description = "No such DAG"), (status = 422, description = "More than 1000 runs")))]
pub async fn short(
    State(outside): State<Outside>,
    Path(dag): Path<String>,
    Json(range): Json<Range>,
) -> Answer {
    let runs = backfill::runs(&outside, &dag, range.from, range.to).await?;
    let (from, to) = (range.from, range.to);
    let asked = NewBackfill { dag, from, to, reprocess: Reprocess::None, max_active: ACTIVE };
    let (_, made) = backfill::backfill(&outside, &asked, &runs, &Hand::default().by()?).await?;
    Ok(Json(json!({ "made": made, "there": runs.len() - made.len() })))
}

/// Which backfills.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    dag: Option<String>,
    limit: Option<i64>,
    before: Option<Uuid>,
}

/// Backfills of one answer.
const SHOWN_MAX: i64 = 1_000;

#[utoipa::path(get, path = "/api/v1/backfills", params(("dag" = Option<String>, Query, description = "Only its backfills"), ("before" = Option<Uuid>, Query, description = "Only those older than this one: the last of a page asks for the next"), ("limit" = Option<i64>, Query, description = "At most 1000; 100 where absent")),
    responses((status = 200, description = "The newest first, each with how many of its runs are in which state")))]
pub async fn list(State(outside): State<Outside>, Query(which): Query<Which>) -> Answer {
    let limit = which.limit.unwrap_or(100).clamp(1, SHOWN_MAX);
    Ok(Json(json!(outside.queue.backfills_page(which.dag.as_deref(), which.before, limit).await?)))
}

#[utoipa::path(get, path = "/api/v1/backfills/{id}", params(("id" = Uuid, Path, description = "Its id")), responses((status = 200, description = "One backfill"), (status = 404, description = "No such backfill")))]
pub async fn show(State(outside): State<Outside>, Path(id): Path<Uuid>) -> Answer {
    let found = outside.queue.backfill_row(id).await?;
    Ok(Json(json!(found.ok_or_else(|| missing(format!("backfill {id}")))?)))
}

#[utoipa::path(post, path = "/api/v1/backfills/{id}/pause", request_body = Hand, params(("id" = Uuid, Path, description = "Its id")), responses((status = 200, description = "What runs goes on, what is queued stays so"), (status = 404, description = "No such backfill"), (status = 409, description = "It was cancelled")))]
pub async fn pause(State(outside): State<Outside>, Path(id): Path<Uuid>, body: Body<Hand>) -> Answer {
    set_paused(&outside, id, true, by(body)?).await
}

#[utoipa::path(post, path = "/api/v1/backfills/{id}/resume", request_body = Hand, params(("id" = Uuid, Path, description = "Its id")), responses((status = 200, description = "It goes on"), (status = 404, description = "No such backfill"), (status = 409, description = "It was cancelled")))]
pub async fn resume(State(outside): State<Outside>, Path(id): Path<Uuid>, body: Body<Hand>) -> Answer {
    set_paused(&outside, id, false, by(body)?).await
}

#[utoipa::path(post, path = "/api/v1/backfills/{id}/cancel", request_body = Hand, params(("id" = Uuid, Path, description = "Its id")), responses((status = 200, description = "{cancelled}: how many runs were open"), (status = 404, description = "No such backfill"), (status = 409, description = "It was cancelled before")))]
pub async fn cancel(State(outside): State<Outside>, Path(id): Path<Uuid>, body: Body<Hand>) -> Answer {
    match outside.queue.cancel_backfill(id, &by(body)?).await? {
        Some(runs) => Ok(Json(json!({ "cancelled": runs }))),
        None => Err(cancelled_or_missing(&outside, id).await?),
    }
}

async fn set_paused(outside: &Outside, id: Uuid, paused: bool, by: By) -> Answer {
    match outside.queue.pause_backfill(id, paused, &by).await? {
        true => Ok(Json(json!({ "backfill": id, "paused": paused }))),
        false => Err(cancelled_or_missing(outside, id).await?),
    }
}

async fn cancelled_or_missing(outside: &Outside, id: Uuid) -> Result<Problem, Problem> {
    Ok(match outside.queue.backfill_row(id).await? {
        Some(_) => {
            let told = format!("backfill {id} was cancelled: ask for the range again");
            Problem(Trouble(StatusCode::CONFLICT, told))
        }
        None => missing(format!("backfill {id}")),
    })
}
