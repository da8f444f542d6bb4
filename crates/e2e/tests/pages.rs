//! The pages in a real Chromium: its script has run, nothing is loaded from elsewhere, and the stream of changes arrives.

#![allow(clippy::unwrap_used)]

use e2e::World;
use std::process::Command;
use test_support::unique;

const QUIET: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--timeout=60000",
];

/// The page as the browser has it after its script has run.
fn dom(url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args(QUIET)
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", url])
        .output()
        .expect("chromium runs: `make deps-test` installs it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn every_page_is_drawn_and_its_script_runs() {
    let world = World::running();
    let run = world.run_to_the_end("users", &unique("page")).await;
    let id = run["run"]["id"].as_str().unwrap();
    let cases: [(&str, String, &[&str]); 8] = [
        ("scheduler", "/".into(), &["users_daily", "Trigger", " ago"]),
        ("scheduler", "/dags/users".into(), &["* * * * * (UTC)", "Pause DAG"]),
        ("scheduler", format!("/runs/{id}"), &["verified", "success", "Ids verified", "<svg"]),
        ("scheduler", format!("/runs/{id}/tasks/verified"), &["created_users: 500 of 500 ids"]),
        ("coordinator", "/".into(), &["worker-1", "users_clean/0", "running", " ago"]),
        ("control-center", "/".into(), &["Broker"]),
        ("control-center", "/topics".into(), &["users_clean", "users-dead"]),
        ("control-center", "/topics/users/messages".into(), &["@example.com", "record-id"]),
    ];
    for (process, path, expected) in cases {
        let url = format!("{}{path}", world.stack.address(process));
        let shown = |dom: &String| expected.iter().all(|text| dom.contains(text));
        // What a page shows may still be on its way: it is looked at again.
        let dom = (0..5).map(|_| dom(&url)).find(shown);
        let dom = dom.unwrap_or_else(|| panic!("{process}{path} does not show {expected:?}"));
        let elsewhere = dom
            .split("src=\"http")
            .nth(1)
            .or_else(|| dom.split("<link rel=\"stylesheet\" href=\"http").nth(1));
        assert_eq!(
            elsewhere.map(|rest| &rest[..60.min(rest.len())]),
            None,
            "{process}{path} loads from elsewhere"
        );
    }
}

#[tokio::test]
async fn a_request_under_another_name_is_refused() {
    let world = World::running();
    for process in ["scheduler", "coordinator", "control-center"] {
        let url = format!("{}/", world.stack.address(process));
        let answer = world.http.get(url).header("host", "evil.example").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 403, "{process}");
    }
}

#[tokio::test]
async fn an_open_page_hears_of_a_run() {
    let world = World::running();
    let mut events =
        world.http.get(format!("{}/events", world.stack.address("scheduler"))).send().await.unwrap();
    let started = world.trigger("users_daily", &unique("live")).await;
    let element = format!("run-{}", started["run_id"].as_str().unwrap());
    let mut heard = String::new();
    while !heard.contains(&element) {
        let chunk = events.chunk().await.unwrap().expect("the stream stays open");
        heard.push_str(&String::from_utf8_lossy(&chunk));
    }
}
