//! Addresses, asked of a made-up cluster.

use crate::made_up;
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use chrono::Utc;
use control_center::{
    Seen,
    http::{self, State},
    live::Live,
    messages::Browser,
};
use registry::Registry;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;

/// A port of this machine on which nobody listens.
const NOBODY: &str = "127.0.0.1:1";

fn routes(seen: Seen) -> Router {
    // Without it the first TLS client panics; `service::main` does the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let registry = Registry::new(&format!("http://{NOBODY}")).unwrap();
    let browser = Browser::new(NOBODY, registry, 200);
    let database = service::settings::Postgres {
        url: format!("postgres://{NOBODY}/none"),
        password: model::Secret::new(""),
    };
    let dead = http::Dead::new(NOBODY, database, &format!("http://{NOBODY}"));
    http::routes(State { seen: watch::channel(seen).1, live: Live::default(), browser, dead }, vec![])
}

async fn ask(routes: &Router, path: &str, host: &str) -> (StatusCode, String) {
    let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
    let answer = routes.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn json(routes: &Router, path: &str) -> (StatusCode, Value) {
    let (status, body) = ask(routes, path, "localhost:9021").await;
    (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path} answered {body}")))
}

#[tokio::test]
async fn pages_and_json_have_their_addresses() {
    let routes = routes(made_up::seen(Utc::now(), true));
    let pages = [
        "/",
        "/topics",
        "/topics/users",
        "/groups",
        "/groups/console-consumer-%3C1%3E",
        "/schemas",
        "/schemas/users-value",
    ];
    for path in pages {
        assert_eq!(ask(&routes, path, "localhost:9021").await.0, StatusCode::OK, "{path}");
    }
    for path in ["/topics/none", "/groups/none", "/schemas/none", "/nowhere", "/events?view=none"] {
        assert_eq!(ask(&routes, path, "localhost:9021").await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let cases = [
        ("/api/v1/overview", "/wrong/0/severe", Value::from(true)),
        ("/api/v1/topics", "/topics/3/name", "signups_per_country".into()),
        ("/api/v1/topics/users", "/topic/partitions/0/first", 42_000.into()),
        ("/api/v1/topics/users", "/schema", "users-value".into()),
        ("/api/v1/groups", "/groups/1/trend", "reading".into()),
        ("/api/v1/groups/job.users_clean", "/summary/lag", 9_600.into()),
        ("/api/v1/schemas", "/subjects/0/versions/1/id", 4.into()),
        ("/api/v1/schemas/users-value", "/fields/0/name", "id".into()),
    ];
    for (path, pointer, expected) in cases {
        let (status, body) = json(&routes, path).await;
        assert_eq!(
            (status, body.pointer(pointer)),
            (StatusCode::OK, Some(&expected)),
            "{path} {pointer}: {body}"
        );
    }
    assert_eq!(json(&routes, "/api/v1/topics/none").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn while_kafka_is_away_pages_are_served_and_json_says_why() {
    let mut away = Seen::default();
    away.kafka.take(Utc::now(), Err("Kafka is away".into()));
    let routes = routes(away);
    let (status, page) = ask(&routes, "/topics", "localhost:9021").await;
    assert!(status == StatusCode::OK && page.contains("Kafka is away"), "{page}");
    assert_eq!(
        json(&routes, "/api/v1/topics").await,
        (StatusCode::SERVICE_UNAVAILABLE, serde_json::json!({"error": "Kafka is away"}))
    );
    assert_eq!(json(&routes, "/api/v1/overview").await.1["stale"], "Kafka is away");
    let (status, body) = json(&routes, "/api/v1/topics/users/messages").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body["error"].as_str().unwrap().contains("did not answer"), "{body}");
    // What can't be asked is told without asking Kafka.
    assert_eq!(json(&routes, "/api/v1/topics/users/messages?offset=3").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn another_sites_name_is_refused() {
    let (status, said) = ask(&routes(Seen::default()), "/", "evil.example").await;
    assert!(status == StatusCode::FORBIDDEN && said.contains("allowed_hosts"), "{said}");
}
