//! The producer's part is played by a server that answers from a list.

use super::*;
use axum::{Router, extract::State, response::IntoResponse, routing::post};
use serde_json::json;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Script(Arc<Mutex<Played>>);

/// The answers that are left, and the bodies that came.
type Played = (Vec<(u16, String)>, Vec<String>);

async fn answer(State(script): State<Script>, body: String) -> axum::response::Response {
    let mut script = script.0.lock().unwrap();
    script.1.push(body);
    let (status, text) = if script.0.is_empty() { (500, String::new()) } else { script.0.remove(0) };
    (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")], text).into_response()
}

/// Delivers three records against these answers: what came of it, and the bodies that were sent.
async fn deliver(answers: &[(u16, Value)]) -> (Result<Delivered, String>, Vec<String>) {
    let _ = test_support::http();
    let script = Script::default();
    script.0.lock().unwrap().0 = answers.iter().map(|(status, body)| (*status, body.to_string())).collect();
    let app = Router::new().route("/v1/streams/users/records", post(answer)).with_state(script.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let producer = Producer::new(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let records: Vec<_> = (1..=3).map(|id| json!({"id": id}).as_object().unwrap().clone()).collect();
    let retry = Retry::new(3, Duration::from_millis(1), Duration::from_millis(1));
    let found = producer.deliver("users", &records, &retry).await.map_err(|error| error.to_string());
    let bodies = script.0.lock().unwrap().1.clone();
    (found, bodies)
}

fn results(outcomes: &[Value]) -> Value {
    json!({"accepted": 0, "dead": 0, "rejected": 0, "results": outcomes})
}

fn written(partition: i32, offset: i64) -> Value {
    json!({"status": "written", "partition": partition, "offset": offset})
}

fn unknown() -> Value {
    json!({"status": "unknown", "reason": "Kafka is away"})
}

fn dead() -> Value {
    json!({"status": "dead", "reason": "no id", "partition": 7, "offset": 70})
}

const ALL: &str = "{\"id\":1}\n{\"id\":2}\n{\"id\":3}";

#[tokio::test]
async fn each_record_is_sent_until_it_is_durable_and_no_longer() {
    let done = |written, dead, offsets: &[(i32, i64)]| {
        Ok(Delivered { written, dead, offsets: Offsets(offsets.iter().copied().collect()) })
    };
    let away = json!({"error": "stream \"users\" is not ready"});
    let cases = [
        (
            vec![(200, results(&[written(0, 4), written(1, 9), written(0, 5)]))],
            done(3, 0, &[(0, 6), (1, 10)]),
            vec![ALL],
        ),
        (vec![(200, results(&[written(0, 4), dead(), written(0, 5)]))], done(2, 1, &[(0, 6)]), vec![ALL]),
        (
            vec![
                (503, results(&[unknown(), written(0, 4), unknown()])),
                (503, results(&[dead(), unknown()])),
                (200, results(&[written(2, 0)])),
            ],
            done(2, 1, &[(0, 5), (2, 1)]),
            vec![ALL, "{\"id\":1}\n{\"id\":3}", "{\"id\":3}"],
        ),
        (
            vec![
                (503, away.clone()),
                (404, away.clone()),
                (200, results(&[written(0, 0), written(0, 1), written(0, 2)])),
            ],
            done(3, 0, &[(0, 3)]),
            vec![ALL; 3],
        ),
    ];
    for (answers, expected, bodies) in cases {
        let found = deliver(&answers).await;
        assert_eq!(found, (expected, bodies.into_iter().map(str::to_owned).collect()), "{answers:?}");
    }
}

#[tokio::test]
async fn what_is_not_durable_is_an_error_that_says_why() {
    let rejected = json!({"status": "rejected", "reason": "message too large"});
    let cases = [
        (
            vec![(503, results(&[unknown(), unknown(), unknown()])); 3],
            "did not take the records of stream \"users\" in 3 tries: Kafka is away",
            3,
        ),
        (vec![(200, results(&[written(0, 1)])); 3], "its answer does not tell of each record", 3),
        (vec![(200, json!("OK")); 3], "its answer does not tell of each record", 3),
        (
            vec![(409, json!({"error": "the stream is written by a job"}))],
            "refuses the records of stream \"users\": the stream is written by a job",
            1,
        ),
        (
            vec![(200, results(&[written(0, 1), rejected, written(0, 2)]))],
            "takes neither a record of stream \"users\" nor its dead letter: message too large",
            1,
        ),
    ];
    for (answers, expected, tries) in cases {
        let (found, bodies) = deliver(&answers).await;
        assert!(found.as_ref().is_err_and(|error| error.contains(expected)), "{found:?}");
        assert_eq!(bodies.len(), tries, "{expected}");
    }
}

#[test]
fn requests_are_cut_by_count_and_by_size() {
    let cut = |lines: Vec<String>| batches(lines.into_iter()).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(cut(vec!["{}".into(); 12_000]), [5_000, 5_000, 2_000]);
    assert_eq!(cut(vec!["x".repeat(BYTES_MAX / 2 - 10); 5]), [2, 2, 1]);
    assert_eq!(cut(vec!["{}".into(), "x".repeat(BYTES_MAX + 1), "{}".into()]), [1, 1, 1]);
    assert!(cut(vec![]).is_empty());
}
