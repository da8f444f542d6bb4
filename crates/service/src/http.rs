//! Serving HTTP, and the three paths that every process has.

use crate::Service;
use anyhow::Context;
use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::get};

impl Service {
    /// Serves `routes` and `/livez`, `/readyz`, `/metrics` on `listen` until the process is to end.
    pub async fn serve(&self, listen: &str, routes: Router) -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}: stop what holds the port, or change `listen` in its file under config/")
        })?;
        tracing::info!("listening on http://{listen}");
        let shutdown = self.shutdown.clone();
        let app =
            routes.merge(self.own_routes()).into_make_service_with_connect_info::<std::net::SocketAddr>();
        axum::serve(listener, app).with_graceful_shutdown(async move { shutdown.cancelled().await }).await?;
        Ok(())
    }

    fn own_routes(&self) -> Router {
        let (health, metrics) = (self.health.clone(), self.metrics.clone());
        Router::new()
            .route("/livez", get(|| async { "ok" }))
            .route("/readyz", get(move || async move { readiness(&health) }))
            .route("/metrics", get(move || async move { metrics.text() }))
    }
}

fn readiness(health: &crate::Health) -> impl IntoResponse + use<> {
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.conditions()))
}

/// An answer that says what is wrong: `{"error": "..."}`.
pub fn problem(status: StatusCode, error: impl Into<String>) -> axum::response::Response {
    (status, Json(serde_json::json!({ "error": error.into() }))).into_response()
}
