//! Serving HTTP, and the three paths that every process has.

use crate::{Service, serve};
use anyhow::Context;
use axum::{
    Json, Router,
    body::{Body, BodyDataStream, HttpBody},
    extract::Request,
    http::{Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{StreamExt, future::BoxFuture, stream};
use std::{io, time::Duration};
use tokio::time::{Instant, timeout_at};

impl Service {
    /// Serves `routes` and `/livez`, `/readyz`, `/metrics` on `listen` until the process is to end.
    ///
    /// Boxed, as other futures that many programs await: a future is compiled where it becomes one of a box or a program, and this way
    /// the server is compiled here, once, and not with each program.
    pub fn serve<'a>(&'a self, listen: &'a str, routes: Router) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(self.serve_all(listen, routes))
    }

    async fn serve_all(&self, listen: &str, routes: Router) -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}: stop what holds the port, or change `listen` in its file under config/")
        })?;
        tracing::info!("listening on http://{listen}");
        let app = routes.merge(self.own_routes()).layer(from_fn(explained)).layer(from_fn(bounded_in_time));
        serve::serve(listener, app, &self.shutdown).await;
        Ok(())
    }

    fn own_routes(&self) -> Router {
        let (health, metrics) = (self.health.clone(), self.metrics.clone());
        Router::new()
            .route("/livez", get(|| async { "ok" }))
            .route("/readyz", get(move || async move { readiness(&health) }))
            .route("/metrics", get(move || async move { metrics.gathered().await }))
    }
}

fn readiness(health: &crate::Health) -> impl IntoResponse + use<> {
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.conditions()))
}

/// An answer that says what is wrong: `{"error": "..."}`.
pub fn problem(status: StatusCode, error: impl Into<String>) -> Response {
    (status, Json(serde_json::json!({ "error": error.into() }))).into_response()
}

/// A request's body must be whole by then: whoever sends a byte a second holds what others wait for.
const BODY_MAX: Duration = Duration::from_secs(60);

async fn bounded_in_time(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    next.run(request.map(|body| until(body, Instant::now() + BODY_MAX))).await
}

/// The body, with an error where it is not whole at `end`: it must not look as if it had ended there.
fn until(body: Body, end: Instant) -> Body {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("it did not arrive within {BODY_MAX:?}"));
    let parts = stream::unfold(Arriving(Some(body.into_data_stream())), move |mut arriving| async move {
        let part = match timeout_at(end, arriving.0.as_mut()?.next()).await {
            Ok(Some(Ok(part))) => return Some((Ok(part), arriving)),
            Ok(None) => None,
            Ok(Some(Err(cause))) => Some(io::Error::other(cause)),
            Err(_) => Some(late()),
        };
        arriving.0 = None;
        Some((Err(part?), arriving))
    });
    Body::from_stream(parts)
}

/// A body that may be dropped before its end, by whoever has seen enough to refuse it.
struct Arriving(Option<BodyDataStream>);

/// Of a refused body, more is not looked at.
const REFUSED_BYTES_MAX: usize = 64 * 1024 * 1024;
const REFUSED_MAX: Duration = Duration::from_secs(2);

impl Drop for Arriving {
    /// Takes what is still being sent. To close on it would reset the connection, and the sender's system would throw the answer
    /// away with it: it would never learn what was wrong.
    fn drop(&mut self) {
        let (Some(mut rest), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            let end = Instant::now() + REFUSED_MAX;
            let mut bytes = 0;
            while let Ok(Some(Ok(part))) = timeout_at(end, rest.next()).await
                && bytes < REFUSED_BYTES_MAX
            {
                bytes += part.len();
            }
        });
    }
}

/// What the framework refuses by itself is told as everything else is: as JSON, with a sentence.
async fn explained(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = next.run(request).await;
    let of_api = path.starts_with("/api/") || path.starts_with("/v1/");
    let told =
        answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind != "text/plain; charset=utf-8");
    if !of_api || told || !(answer.status().is_client_error() || answer.status().is_server_error()) {
        return answer;
    }
    /// The framework's own sentences are short.
    const SENTENCE_BYTES_MAX: usize = 16 * 1024;
    let (parts, body) = answer.into_parts();
    let text = axum::body::to_bytes(body, SENTENCE_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let error = sentence(parts.status, &method, &path, &text);
    let mut answer = problem(parts.status, error);
    for (name, value) in
        parts.headers.iter().filter(|(name, _)| [header::ALLOW, header::RETRY_AFTER].contains(name))
    {
        answer.headers_mut().insert(name, value.clone());
    }
    answer
}

/// The framework names at most the cause: what it is about and what to do is added.
fn sentence(status: StatusCode, method: &Method, path: &str, cause: &str) -> String {
    let cause = if cause.is_empty() { status.canonical_reason().unwrap_or("refused") } else { cause };
    match status {
        StatusCode::NOT_FOUND => format!("there is no {path} here: correct the address"),
        StatusCode::METHOD_NOT_ALLOWED => {
            format!("{path} does not take {method}: the header Allow says what it takes")
        }
        StatusCode::PAYLOAD_TOO_LARGE => format!("{method} {path}: {cause}: send less in one request"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            format!("{method} {path}: {cause}: send another content-type or content-encoding")
        }
        _ => format!("{method} {path}: {cause}: correct the request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_takes_too_long_ends_in_an_error_and_not_as_if_it_were_whole() {
        let soon = || Instant::now() + Duration::from_millis(20);
        let slow = stream::iter([Ok::<_, io::Error>("x")]).chain(stream::pending());
        let cut = axum::body::to_bytes(until(Body::from_stream(slow), soon()), usize::MAX).await;
        assert!(cut.is_err());
        let whole = axum::body::to_bytes(until(Body::from("x"), soon()), 1).await;
        assert_eq!(whole.unwrap(), "x");
    }
}
