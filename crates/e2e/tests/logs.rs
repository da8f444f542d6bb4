//! Logs of tasks: on an open page while the task runs, searched, downloaded, and bounded.

#![allow(clippy::unwrap_used)]

use e2e::{
    World,
    live::{Lateness, Live, now},
};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};
use test_support::unique;

/// What is promised is 300 ms; this is what a machine may take that does other things too.
const SEEN_MAX: Duration = Duration::from_secs(2);
const TOLD: usize = 20;

/// The instants that a page shows, which the child wrote.
fn instants(html: &str) -> impl Iterator<Item = u128> {
    html.split("now=").skip(1).filter_map(|rest| rest.get(..19)?.parse().ok())
}

#[tokio::test]
async fn an_open_page_shows_a_line_soon_after_it_was_said() {
    let world = World::running();
    let dag = format!(
        "[tasks.talk]\nkind = \"command\"\nrun = [\"sh\", \"-c\", \"for n in $(seq {TOLD}); do echo now=$(date +%s%N); sleep 0.15; done\"]\n"
    );
    let folder = world.published(&dag).await;
    let mut live = Live::open(&world).await;
    let started = world.trigger(&folder.name, &unique("live")).await;
    let id = started["run_id"].as_str().unwrap();
    world.page("scheduler", &format!("/runs/{id}/tasks/talk")).await;
    let (mut seen, mut late) = (BTreeSet::new(), Lateness::default());
    while seen.len() < TOLD {
        let event = live.next(|event| event.contains(&format!("log-{id}-talk"))).await;
        let shown = now();
        instants(&event).filter(|said| seen.insert(*said)).for_each(|said| late.add(said, shown));
    }
    let (median, p95) = late.percentiles();
    println!("from a line to an open page: median {median} ms, p95 {p95} ms");
    assert!(p95 < SEEN_MAX.as_millis(), "{p95} ms");
}

#[tokio::test]
async fn a_log_is_searched_downloaded_and_says_what_it_lacks() {
    let world = World::running();
    let dag = r#"
[tasks.talk]
kind = "command"
retries = 1
retry_delay = "10ms"
run = ["sh", "-c", "echo one; printf 'WARN t\\033[31mw\\033[0mo\\n'; head -c 10000000 /dev/zero | tr '\\000' x; echo; echo ERROR three >&2; exit 1"]
"#;
    let folder = world.published(dag).await;
    let run = world.run_to_the_end(&folder.name, &unique("log")).await;
    assert_eq!(run["run"]["state"], "failed", "{run:#}");
    let path = format!("/api/v1/runs/{}/tasks/talk/log", run["run"]["id"].as_str().unwrap());
    let lines = async |query: &str| {
        let found: Value = world.get("scheduler", &format!("{path}{query}")).await;
        let all = found.as_array().unwrap_or_else(|| panic!("{query}: {found}"));
        let mut all: Vec<String> = all.iter().map(|line| line["line"].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    // Its colours are kept, and cut a word in two.
    let two = "WARN t\u{1b}[31mw\u{1b}[0mo";
    let cut = format!("{} [cut: 9996000 more bytes of this line were not kept]", "x".repeat(4_000));
    let failed = "failed: \"sh\" ended with exit code 1";
    assert_eq!(lines("?attempt=1").await, ["ERROR three", two, failed, "one", &cut]);
    assert_eq!(lines("?search=TWO").await, [two; 2]);
    assert_eq!(lines("?level=warn&attempt=2").await, ["ERROR three", two]);
    assert_eq!(lines("?search=31m").await, Vec::<String>::new());
    assert_eq!(lines("?level=error&search=two").await, Vec::<String>::new());
    let first = world.get("scheduler", &format!("{path}?limit=4")).await;
    let after = first[3]["id"].as_i64().unwrap();
    assert_eq!(lines("").await.len(), 4 + lines(&format!("?after={after}")).await.len());
    let text = world.page("scheduler", &format!("{path}.txt")).await;
    assert_eq!(
        (text.lines().count(), text.contains(&format!("try 2  warn   {two}"))),
        (10, true),
        "{text:.2000}"
    );
    let wrong = world.get("scheduler", &format!("{path}?level=loud")).await;
    assert!(wrong["error"].as_str().unwrap().contains("write error, warn, info, debug"), "{wrong}");
}
