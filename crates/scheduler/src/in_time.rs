//! Every request is answered in time, whatever the database does. What is told live begins in time, and goes on.

use axum::{extract::Request, http::StatusCode, middleware::Next, response::Response};
use std::time::Duration;
use tokio::time::timeout;

/// A little more than a step at the database, so that its own error is told where there is one.
const ANSWER_MAX: Duration = Duration::from_secs(postgres::ANSWER_MAX.as_secs() + 5);

/// The layer.
pub async fn answer(request: Request, next: Next) -> Response {
    timeout(ANSWER_MAX, next.run(request)).await.unwrap_or_else(|_| {
        let told = format!(
            "no answer within {} s: PostgreSQL is silent or busy. Ask again; `millrace status` tells how it is",
            ANSWER_MAX.as_secs()
        );
        service::http::problem(StatusCode::GATEWAY_TIMEOUT, told)
    })
}
