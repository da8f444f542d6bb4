//! Each way out but mail, to listeners of the tests' own.

use super::*;
use axum::{Router, http::HeaderMap, http::StatusCode, routing::post};
use tokio::{net::TcpListener, sync::mpsc};
use uuid::Uuid;

fn notification() -> Notification {
    Notification {
        id: 1,
        key: "failure:7:1:ops".into(),
        channel: "ops".into(),
        kind: "failure".into(),
        dag: "users".into(),
        run_id: Uuid::nil(),
        task: None,
        text: "the run of DAG \"users\" failed".into(),
        made_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        state: "waiting".into(),
        tries: 1,
        sent_at: None,
        problem: None,
    }
}

fn channel(text: &str) -> Channel {
    toml::from_str(text).unwrap()
}

/// What comes of telling the channel that this text describes.
pub async fn sent(text: &str) -> Sent {
    let channels = BTreeMap::from([("ops".to_owned(), channel(text))]);
    send(&Outside::nowhere(), &channels, &notification()).await
}

#[tokio::test]
async fn a_webhook_gets_the_notification_with_its_key() {
    let (heard, mut hears) = mpsc::channel::<(HeaderMap, String)>(4);
    let routes = Router::new()
        .route(
            "/good",
            post(|headers: HeaderMap, body: String| async move {
                heard.send((headers, body)).await.map_err(|_| StatusCode::GONE)
            }),
        )
        .route("/bad", post(|| async { StatusCode::BAD_GATEWAY }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    assert_eq!(sent(&format!("kind = \"webhook\"\nurl = \"{url}/good\"")).await, Sent::Yes);
    let (headers, body) = hears.recv().await.unwrap();
    assert_eq!(headers["idempotency-key"], "failure:7:1:ops");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["kind"], &body["dag"]), (&"failure".into(), &"users".into()), "{body}");
    let refused = sent(&format!("kind = \"webhook\"\nurl = \"{url}/bad\"")).await;
    assert_eq!(refused, Sent::NotNow(format!("{url}/bad answered 502 Bad Gateway")));
}

#[tokio::test]
async fn a_program_gets_the_notification_on_its_input() {
    let file = std::env::temp_dir().join(format!("told-{}", Uuid::new_v4()));
    let script = format!("(cat; echo \" $MILLRACE_NOTIFICATION_KEY\") > {}", file.display());
    let run = toml::Value::from(vec!["sh", "-c", script.as_str()]);
    assert_eq!(sent(&format!("kind = \"command\"\nrun = {run}")).await, Sent::Yes);
    let told = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(
        told.starts_with("{\"key\":\"failure:7:1:ops\"") && told.ends_with(" failure:7:1:ops\n"),
        "{told}"
    );
    let failed = sent("kind = \"command\"\nrun = [\"false\"]").await;
    assert_eq!(failed, Sent::NotNow("\"false\" ended with exit status: 1".into()));
}

#[tokio::test]
async fn what_can_not_be_sent_says_why() {
    let nowhere = Outside::nowhere();
    let none = send(&nowhere, &BTreeMap::new(), &notification()).await;
    assert_eq!(none, Sent::Never("there is no [notifications.ops] in config/scheduler.toml: add it".into()));
    let silent = sent("kind = \"webhook\"\nurl = \"http://127.0.0.1:1/\"").await;
    assert!(matches!(&silent, Sent::NotNow(cause) if cause.contains("did not answer")), "{silent:?}");
    let email = "kind = \"email\"\nserver = \"127.0.0.1:1\"\nfrom = \"nobody\"\nto = [\"a@b.c\"]";
    let wrong = sent(email).await;
    assert!(matches!(&wrong, Sent::Never(cause) if cause.contains("\"nobody\" is no address")), "{wrong:?}");
}
