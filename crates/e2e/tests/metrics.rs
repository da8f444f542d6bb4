//! What the scheduler shows on `/metrics`, and that its names are those that people who come from Airflow are told.

#![allow(clippy::unwrap_used)]

use e2e::{Crew, collector};
use std::{collections::BTreeSet, path::Path};
use test_support::eventually;

/// The names in the table's column "here": `name` or `name{labels}`.
fn names_in_docs() -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/moving-from-airflow.md");
    let text = std::fs::read_to_string(file).unwrap();
    let (_, metrics) = text.split_once("\n## Metrics\n").unwrap();
    let metrics = metrics.split("\n## ").next().unwrap();
    let rows = metrics.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').nth(1));
    let code = rows.flat_map(|here| here.split('`').skip(1).step_by(2));
    let name = |code: &str| code.split('{').next().unwrap().to_owned();
    code.map(name).filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_metric_that_people_from_airflow_are_told_is_there() {
    let (url, _collected) = collector("/lineage", 200, |told| vec![told]).await;
    let sections = format!("[notifications.hook]\nkind = \"webhook\"\nurl = \"{url}\"\n");
    let settings: &[_] = &[("MILLRACE_POOLS_DEFAULT", "1")];
    let crew = Crew::start_with(&sections, &[("one", settings)]).await;
    let ended =
        crew.dag("[tasks.good]\nkind = \"noop\"\n[tasks.bad]\nkind = \"command\"\nrun = [\"false\"]\n");
    // A run is in the histogram when it ends after the first look.
    eventually("it serves", || async { crew.get("dags").await }).await;
    crew.page("/metrics").await;
    assert_eq!(crew.ends(crew.trigger(&ended.name).await).await, "failed");
    let slow = crew.dag("[tasks.a]\nkind = \"command\"\nrun = [\"sleep\", \"60\"]\n[tasks.b]\nkind = \"command\"\nrun = [\"sleep\", \"60\"]\n[tasks.c]\nkind = \"noop\"\nafter = [\"a\", \"b\"]\n");
    let id = crew.trigger(&slow.name).await;
    let (dag, of) = (&slow.name, &ended.name);
    let expected = [
        format!("tasks{{dag=\"{dag}\",state=\"running\"}} 1"),
        format!("tasks{{dag=\"{dag}\",state=\"ready\"}} 1"),
        format!("tasks{{dag=\"{dag}\",state=\"waiting\"}} 1"),
        "pool_slots{pool=\"default\"} 1".into(),
        "pool_used_slots{pool=\"default\"} 1".into(),
        "pool_open_slots{pool=\"default\"} 0".into(),
        "pool_starving_tasks{pool=\"default\"} 1".into(),
        format!("task_tries_ended_total{{dag=\"{of}\",state=\"success\"}} 1"),
        format!("task_tries_ended_total{{dag=\"{of}\",state=\"failed\"}} 1"),
        format!("run_seconds_count{{dag=\"{of}\",state=\"failed\"}} 1"),
    ];
    let shown = eventually("all of it is shown", || async {
        let shown = crew.page("/metrics").await;
        expected.iter().all(|line| shown.lines().any(|shown| shown == line)).then_some(shown)
    })
    .await;
    let number = |name: &str| -> f64 {
        let line = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name}: {shown}")).parse().unwrap()
    };
    assert!(number("oldest_queued_task_seconds") > 0.0);
    let age = chrono::Utc::now().timestamp() as f64 - number("scheduling_round_last_seconds");
    assert!(age < 10.0, "the last round was {age} s ago");
    assert!(number("scheduling_round_seconds") < 10.0);

    let names = names_in_docs();
    assert!(names.len() > 10, "{names:?}");
    let missing: Vec<&String> =
        names.iter().filter(|name| !shown.contains(&format!("# TYPE {name} "))).collect();
    assert!(missing.is_empty(), "docs/moving-from-airflow.md names {missing:?}, which are not in: {shown}");
    crew.post(&format!("runs/{id}/cancel"), &serde_json::json!({})).await;
}
