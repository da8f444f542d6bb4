//! Versions of pipelines, what changed between two, and what keeps an edit from being published.

use super::{Answer, missing};
use crate::outside::Outside;
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::get,
};
use pipeline::{
    Bundle, diff,
    published::{self, Version},
};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgPool;

pub fn routes() -> Router<Outside> {
    Router::new()
        .route("/api/v1/problems", get(problems))
        .route("/api/v1/pipelines/{pipeline}/versions", get(versions))
        .route("/api/v1/pipelines/{pipeline}/diff", get(differences))
}

/// Versions of one answer.
const VERSIONS_MAX: i64 = 1_000;

#[utoipa::path(get, path = "/api/v1/problems", responses((status = 200, description = "What keeps the newest edits from being published: file, line, message. What was published before goes on")))]
pub async fn problems(State(outside): State<Outside>) -> Answer {
    Ok(Json(json!(published::problems(outside.queue.pool()).await?)))
}

#[utoipa::path(get, path = "/api/v1/pipelines/{pipeline}/versions", params(("pipeline" = String, Path, description = "Its name")), responses((status = 200, description = "Its versions, the newest first")))]
pub async fn versions(State(outside): State<Outside>, Path(pipeline): Path<String>) -> Answer {
    Ok(Json(json!(published::versions(outside.queue.pool(), &pipeline, VERSIONS_MAX).await?)))
}

/// Which versions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    from: String,
    to: String,
}

#[utoipa::path(get, path = "/api/v1/pipelines/{pipeline}/diff", params(("pipeline" = String, Path, description = "Its name"), ("from" = String, Query, description = "A version, or the beginning of one"), ("to" = String, Query, description = "Another")),
    responses((status = 200, description = "The files that differ, with their changed lines"), (status = 404, description = "No such version, or several that begin so")))]
pub async fn differences(
    State(outside): State<Outside>,
    Path(pipeline): Path<String>,
    Query(between): Query<Between>,
) -> Answer {
    let pool = outside.queue.pool();
    let known = published::versions(pool, &pipeline, VERSIONS_MAX).await?;
    let from = named(pool, &pipeline, &known, &between.from).await?;
    let to = named(pool, &pipeline, &known, &between.to).await?;
    Ok(Json(json!({ "from": from.hash(), "to": to.hash(), "files": diff::diff(&from, &to) })))
}

async fn named(
    pool: &PgPool,
    pipeline: &str,
    known: &[Version],
    beginning: &str,
) -> Result<Bundle, super::Problem> {
    let mut fitting = known.iter().filter(|version| version.version.starts_with(beginning));
    let bundle = match (fitting.next(), fitting.next()) {
        (Some(one), None) => published::bundle(pool, pipeline, &one.version).await?,
        _ => None,
    };
    bundle.ok_or_else(|| {
        missing(format!(
            "one version of the pipeline \"{pipeline}\" that begins with \"{beginning}\"; \
             /api/v1/pipelines/{pipeline}/versions has those that are known"
        ))
    })
}
