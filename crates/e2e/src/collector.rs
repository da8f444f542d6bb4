//! A collector of somebody else's, as the scheduler tells it of lineage and traces.

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{net::TcpListener, sync::mpsc};

/// One that refuses the first that it is told, and then answers `answer`. Answers its address, and what it has taken: of each request the
/// `parts`.
pub async fn collector(
    path: &str,
    answer: u16,
    parts: fn(Value) -> Vec<Value>,
) -> (String, mpsc::Receiver<Value>) {
    let (sender, taken) = mpsc::channel(100);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it has an address"));
    let answer = StatusCode::from_u16(answer).expect("it is a status");
    let refused = Arc::new(AtomicBool::new(false));
    let take = async move |State(sender): State<mpsc::Sender<Value>>, Json(request): Json<Value>| {
        if !refused.swap(true, Ordering::Relaxed) {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        for part in parts(request) {
            sender.send(part).await.expect("the test still listens");
        }
        answer
    };
    let routes = Router::new().route(path, post(take)).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, taken)
}
