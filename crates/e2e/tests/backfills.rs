//! A range of due times is run by command, while its DAG is paused, in a lane of its own.

#![allow(clippy::unwrap_used)]

use e2e::World;
use serde_json::{Value, json};
use std::{path::Path, process::Command};
use test_support::eventually;

/// A day each; the task fails on the second of March.
const DAG: &str = r#"
schedule = "@daily"
start = "2026-03-01T00:00:00Z"
catchup = "none"
interval = true
paused = true

[tasks.day]
kind = "command"
run = ["test", "{{ logical_time }}", "!=", "2026-03-02T00:00:00Z"]
"#;

/// What a command answers as JSON.
fn millrace(arguments: &[&str]) -> Value {
    let stack = std::env::var("MILLRACE_TEST_STACK").expect("run the tests with `make test`");
    let output = Command::new(test_support::binaries().join("millrace"))
        .args(arguments)
        .args(["--json", "--home"])
        .arg(Path::new(&stack).parent().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until no run of the backfill is open. Answers how they ended.
async fn ended(id: &str) -> Value {
    eventually("the backfill is done", || async {
        let found = millrace(&["backfill", "show", id]);
        (found["state"] == "done").then(|| found["runs"].clone())
    })
    .await
}

#[tokio::test]
async fn a_range_is_listed_run_and_what_failed_of_it_run_again() {
    let world = World::running();
    let folder = world.published(DAG).await;
    let range = ["dag", "backfill", &folder.name, "--from", "2026-03-01", "--to", "2026-03-03"];
    let with = |more: &[&'static str]| millrace(&[&range[..], more].concat());
    let what = |plan: &Value| {
        let runs = plan["runs"].as_array().unwrap();
        runs.iter().map(|run| run["what"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    let plan = with(&["--dry-run"]);
    assert_eq!(what(&plan), ["make"; 3], "{plan:#}");
    let first = &plan["runs"][0];
    assert_eq!(
        (first["logical_time"].as_str(), first["interval_end"].as_str()),
        (Some("2026-03-01T00:00:00Z"), Some("2026-03-02T00:00:00Z"))
    );
    assert_eq!(millrace(&["backfill", "list", "--dag", &folder.name]), json!([]), "a dry run makes nothing");

    let made = with(&["--why", "the source was wrong"]);
    assert_eq!(made["made"].as_array().map(Vec::len), Some(3), "{made:#}");
    let counts = |success: i32, failed: i32| json!({"queued": 0, "running": 0, "success": success, "failed": failed, "cancelled": 0});
    assert_eq!(ended(made["backfill"].as_str().unwrap()).await, counts(2, 1));
    let page = world.page("scheduler", &format!("/dags/{}", folder.name)).await;
    assert!(
        page.contains("the source was wrong") && page.contains("2 succeeded, 1 failed"),
        "the page lacks it"
    );

    assert_eq!(what(&with(&["--dry-run", "--reprocess", "failed"])), ["leave", "again", "leave"]);
    let again = with(&["--reprocess", "failed"]);
    assert_eq!((&again["made"], &again["again"], &again["there"]), (&json!([]), &json!(1), &json!(2)));
    assert_eq!(ended(again["backfill"].as_str().unwrap()).await, counts(0, 1));
    assert_eq!(with(&[])["backfill"], Value::Null, "there is nothing to do");
}

#[tokio::test]
async fn a_backfill_that_is_not_there_or_was_cancelled_says_so() {
    let world = World::running();
    let folder = world.published(DAG).await;
    let url = |path: &str| format!("{}/api/v1/backfills{path}", world.stack.address("scheduler"));
    let post = async |path: &str, body: Value| {
        let answer = world.http.post(url(path)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let range = |more: Value| {
        let mut body =
            json!({"dag": folder.name, "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let (_, made) = post("", range(json!({}))).await;
    let id = made["backfill"].as_str().unwrap();
    let cancel = format!("/{id}/cancel");
    assert_eq!(post(&cancel, json!({})).await.0, 200);
    let nobody = "/00000000-0000-0000-0000-000000000000";
    let cases = [
        (cancel, json!({}), 409, "was cancelled"),
        (format!("/{id}/resume"), json!({}), 409, "ask for the range again"),
        (format!("{nobody}/pause"), json!({}), 404, "there is no backfill"),
        (String::new(), range(json!({"dag": "nobody"})), 404, "There is no DAG"),
        (String::new(), range(json!({"reprocess": "some"})), 422, "unknown variant `some`"),
        (String::new(), range(json!({"max_active": 0})), 422, "give 1 to 100"),
        (
            String::new(),
            range(json!({"from": "1900-01-01T00:00:00Z", "to": "2026-03-02T00:00:00Z", "dag": "users"})),
            422,
            "ask for a part",
        ),
        (String::new(), json!({"dag": folder.name}), 422, "missing field `from`"),
    ];
    for (path, body, status, part) in cases {
        let (found, answer) = post(&path, body.clone()).await;
        let told = answer["error"].as_str().unwrap_or_default();
        assert!(found == status && told.contains(part), "{path} {body}: {found} {answer}");
    }
}
