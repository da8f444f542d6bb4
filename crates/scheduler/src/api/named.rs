//! Connections and variables. They can be set and forgotten; no answer holds a value.

use super::{Answer, hand::Hand, missing};
use crate::{named::StoreError, outside::Outside, page::Trouble};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::StatusCode,
    routing::{get, put},
};
use pipeline::named::{Named, VALUE_BYTES_MAX};
use queue::By;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The largest value, each byte of it escaped, and what stands around it.
const BODY_BYTES_MAX: usize = 6 * VALUE_BYTES_MAX + 4_096;

pub fn routes() -> Router<Outside> {
    Router::new()
        .route("/api/v1/connections", get(connections))
        .route("/api/v1/connections/{name}", put(set_connection).delete(delete_connection))
        .route("/api/v1/variables", get(variables))
        .route("/api/v1/variables/{name}", put(set_variable).delete(delete_variable))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// What a connection or a variable is set to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Of a connection its fields, of a variable its text
    value: Value,
    who: Option<String>,
    why: Option<String>,
}

impl From<StoreError> for Trouble {
    fn from(cause: StoreError) -> Self {
        let status = match cause {
            StoreError::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
            StoreError::NoKey => StatusCode::CONFLICT,
            StoreError::Sealed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            StoreError::Postgres(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Trouble(status, cause.to_string())
    }
}

#[utoipa::path(get, path = "/api/v1/connections", responses((status = 200, description = "Names, with where each is: environment, file or PostgreSQL; never a value")))]
pub async fn connections(State(outside): State<Outside>) -> Answer {
    Ok(Json(json!(outside.named.list(Named::Connection).await?)))
}

#[utoipa::path(get, path = "/api/v1/variables", responses((status = 200, description = "Names, with where each is: environment, file or PostgreSQL; never a value")))]
pub async fn variables(State(outside): State<Outside>) -> Answer {
    Ok(Json(json!(outside.named.list(Named::Variable).await?)))
}

#[utoipa::path(put, path = "/api/v1/connections/{name}", request_body = Set, params(("name" = String, Path, description = "Small letters, digits and _")),
    responses((status = 200, description = "{name}: kept in PostgreSQL, sealed"), (status = 409, description = "The scheduler has no key"), (status = 422, description = "Not a connection; the answer says why, without the value")))]
pub async fn set_connection(
    State(outside): State<Outside>,
    Path(name): Path<String>,
    Json(asked): Json<Set>,
) -> Answer {
    set(&outside, Named::Connection, name, asked).await
}

#[utoipa::path(put, path = "/api/v1/variables/{name}", request_body = Set, params(("name" = String, Path, description = "Small letters, digits and _")),
    responses((status = 200, description = "{name}: kept in PostgreSQL, sealed"), (status = 409, description = "The scheduler has no key"), (status = 422, description = "Not a variable; the answer says why, without the value")))]
pub async fn set_variable(
    State(outside): State<Outside>,
    Path(name): Path<String>,
    Json(asked): Json<Set>,
) -> Answer {
    set(&outside, Named::Variable, name, asked).await
}

#[utoipa::path(delete, path = "/api/v1/connections/{name}", params(("name" = String, Path, description = "Its name"), ("who" = Option<String>, Query, description = "Who acts"), ("why" = Option<String>, Query, description = "Why; both are written down")), responses((status = 200, description = "{name}: no longer in PostgreSQL"), (status = 404, description = "PostgreSQL has none of that name")))]
pub async fn delete_connection(
    State(outside): State<Outside>,
    Path(name): Path<String>,
    Query(hand): Query<Hand>,
) -> Answer {
    delete(&outside, Named::Connection, name, hand.by()?).await
}

#[utoipa::path(delete, path = "/api/v1/variables/{name}", params(("name" = String, Path, description = "Its name"), ("who" = Option<String>, Query, description = "Who acts"), ("why" = Option<String>, Query, description = "Why; both are written down")), responses((status = 200, description = "{name}: no longer in PostgreSQL"), (status = 404, description = "PostgreSQL has none of that name")))]
pub async fn delete_variable(
    State(outside): State<Outside>,
    Path(name): Path<String>,
    Query(hand): Query<Hand>,
) -> Answer {
    delete(&outside, Named::Variable, name, hand.by()?).await
}

async fn set(outside: &Outside, kind: Named, name: String, asked: Set) -> Answer {
    let by = Hand { who: asked.who, why: asked.why }.by()?;
    outside.named.set(kind, &name, asked.value, &by).await?;
    tracing::info!("{} {name} was set by {}", kind.word(), by.who);
    Ok(Json(json!({ "name": name })))
}

async fn delete(outside: &Outside, kind: Named, name: String, by: By) -> Answer {
    // No name of ours has such a byte, and PostgreSQL takes none in a text.
    if !name.contains('\0') && outside.named.delete(kind, &name, &by).await? {
        tracing::info!("{} {name} was deleted by {}", kind.word(), by.who);
        return Ok(Json(json!({ "name": name })));
    }
    Err(missing(format!(
        "{} \"{name}\" in PostgreSQL: one in the environment or in a file is deleted there",
        kind.word()
    )))
}
