//! A page over a real connection, from a server that does what its path says.

use super::*;
use crate::{cursor::Position, page, variables::Variables};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use model::Retry;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tower_http::compression::CompressionLayer;

const PAGE: &str = r#"{"results": [{"id": 1}]}"#;

/// Counts what it is asked.
#[derive(Clone, Default)]
struct Asks(Arc<AtomicU32>);

impl Asks {
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

async fn serve() -> (String, Asks) {
    let asks = Asks::default();
    // The first answer is a fault, the second a page.
    let once = |fault: fn() -> Response| {
        get(move |State(asks): State<Asks>| async move {
            if asks.next() == 0 { fault() } else { PAGE.into_response() }
        })
    };
    let always = |fault: fn() -> Response| {
        get(move |State(asks): State<Asks>| async move {
            asks.next();
            fault()
        })
    };
    let app = Router::new()
        .route("/good", always(|| PAGE.into_response()))
        .route("/500", once(|| StatusCode::INTERNAL_SERVER_ERROR.into_response()))
        .route("/429", once(|| (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response()))
        .route(
            "/429-for-ever",
            always(|| {
                (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "99999999999")]).into_response()
            }),
        )
        .route("/error", once(|| r#"{"error": "Uh oh"}"#.into_response()))
        .route("/half", once(|| PAGE[..10].into_response()))
        .route("/large", once(|| " ".repeat(10_000).into_response()))
        .route("/404", always(|| StatusCode::NOT_FOUND.into_response()))
        .route("/silent", always(|| Body::from_stream(futures_pending()).into_response()))
        .route("/moved", always(|| Redirect::temporary("/good").into_response()))
        .route("/elsewhere", always(|| Redirect::temporary("http://localhost:1/").into_response()))
        .route("/round", always(|| Redirect::temporary("/round").into_response()))
        .route(
            "/bomb",
            always(|| ([(header::CONTENT_TYPE, "application/json")], " ".repeat(1_000_000)).into_response()),
        )
        .layer(CompressionLayer::new())
        .with_state(asks.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), asks)
}

/// A body that never says anything.
fn futures_pending() -> impl tokio_stream::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    tokio_stream::pending()
}

async fn fetch(path: &str) -> (Result<usize, String>, u32) {
    let _ = test_support::http();
    let (base, asks) = serve().await;
    let settings = json!({"url": format!("{base}{path}"), "records": "/results", "into": "s", "fields": {"id": "/id"}, "body_bytes_max": 1000, "read_timeout": "3s"});
    let mut source: Source = serde_json::from_value(settings).unwrap();
    source.retry = Retry::new(3, Duration::from_millis(1), Duration::from_millis(100));
    let asked = page::ask(&source, &Position::Only, &Variables::new(std::iter::empty(), "")).unwrap();
    let page = Getter::new(&source, Clients::new("").of(&source).unwrap()).page(&asked).await;
    (page.map(|page| page.records.len()).map_err(|error| error.to_string().replace(&base, "")), asks.count())
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_lasts_is_not() {
    let cases = [
        ("/good", Ok(1), 1),
        ("/500", Ok(1), 2),
        ("/429", Ok(1), 2),
        ("/error", Ok(1), 2),
        ("/half", Ok(1), 2),
        ("/large", Ok(1), 2),
        ("/moved", Ok(1), 2),
        (
            "/429-for-ever",
            Err("/429-for-ever failed 3 times, the last time because it answered 429 Too Many Requests."),
            3,
        ),
        ("/404", Err("/404 can't be fetched: it answered 404 Not Found. Correct `url`"), 1),
        (
            "/bomb",
            Err("/bomb failed 3 times, the last time because its answer is larger than 1000 bytes."),
            3,
        ),
        ("/silent", Err("/silent failed 3 times, the last time because "), 3),
    ];
    for (path, expected, asks) in cases {
        let found = fetch(path).await;
        match (&found.0, expected) {
            (Ok(records), Ok(expected)) => assert_eq!(*records, expected, "{path}"),
            (Err(error), Err(start)) => assert!(error.starts_with(start), "{error}"),
            _ => panic!("{path}: {found:?}"),
        }
        assert_eq!(found.1, asks, "{path}");
    }
}

#[tokio::test]
async fn redirects_stay_on_the_host_and_have_an_end() {
    for (path, cause) in
        [("/elsewhere", "redirects to another host, localhost"), ("/round", "redirects more than 5 times")]
    {
        let (found, asks) = fetch(path).await;
        assert!(found.as_ref().is_err_and(|error| error.contains(cause)), "{found:?}");
        assert!(asks <= 6, "{path}: {asks}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_named_with_the_cause() {
    let _ = test_support::http();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/users", listener.local_addr().unwrap());
    drop(listener);
    let settings = json!({"url": &url, "records": "", "into": "s", "fields": {}, "retry": {"attempts_max": 2, "first": "1ms", "cap": "1ms"}});
    let source: Source = serde_json::from_value(settings).unwrap();
    let asked = page::ask(&source, &Position::Only, &Variables::new(std::iter::empty(), "")).unwrap();
    let error = Getter::new(&source, Clients::new("").of(&source).unwrap())
        .page(&asked)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with(&format!("{url} failed 2 times")) && error.contains("refused"), "{error}");
}
