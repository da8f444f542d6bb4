//! `POST /v1/fetch` and `POST /v1/dry-run`

use crate::fetch::{FetchError, Fetcher};
use crate::{deliver::DeliverError, get::GetError, ledger::LedgerError};
use axum::{
    Json, Router,
    extract::State as Held,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};
use service::{CancellationToken, http::problem};
use std::{
    future::Future,
    sync::{Arc, OnceLock},
};
use wire::fetch::Request;

/// What a request needs.
#[derive(Clone)]
pub struct State {
    /// Empty until PostgreSQL has been reached.
    pub fetcher: Arc<OnceLock<Fetcher>>,
    pub shutdown: CancellationToken,
}

pub fn routes(state: State) -> Router {
    Router::new().route("/v1/fetch", post(fetch)).route("/v1/dry-run", post(dry_run)).with_state(state)
}

async fn fetch(Held(state): Held<State>, Json(request): Json<Request>) -> Response {
    let Some(fetcher) = state.fetcher.get() else { return not_yet() };
    until_shutdown(&state, &request.source, fetcher.fetch(&request)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    source: String,
}

async fn dry_run(Held(state): Held<State>, Json(asked): Json<Asked>) -> Response {
    let Some(fetcher) = state.fetcher.get() else { return not_yet() };
    until_shutdown(&state, &asked.source, fetcher.dry_run(&asked.source)).await
}

/// A fetch may be broken off anywhere: the cursor has not moved past anything that is not durable.
async fn until_shutdown<T: Serialize>(
    state: &State,
    source: &str,
    work: impl Future<Output = Result<T, FetchError>>,
) -> Response {
    let done = tokio::select! {
        done = work => done,
        () = state.shutdown.cancelled() => return problem(StatusCode::SERVICE_UNAVAILABLE, "the fetcher is ending: ask again"),
    };
    match done {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            tracing::warn!(source, "{error}");
            problem(status(&error), error.to_string())
        }
    }
}

fn not_yet() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "the fetcher has not reached PostgreSQL yet: try again")
}

fn status(error: &FetchError) -> StatusCode {
    match error {
        FetchError::Unknown { .. } => StatusCode::NOT_FOUND,
        FetchError::Busy { .. } | FetchError::Ledger(LedgerError::Moved { .. }) => StatusCode::CONFLICT,
        FetchError::Ask(_) => StatusCode::UNPROCESSABLE_ENTITY,
        FetchError::Get(GetError::GaveUp { .. } | GetError::Refused { .. }) => StatusCode::BAD_GATEWAY,
        FetchError::Deliver(DeliverError::Refused { .. } | DeliverError::Rejected { .. }) => {
            StatusCode::BAD_GATEWAY
        }
        FetchError::Deliver(DeliverError::GaveUp { .. }) | FetchError::Ledger(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        FetchError::Get(GetError::Client(_)) | FetchError::Deliver(DeliverError::Client(_)) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
