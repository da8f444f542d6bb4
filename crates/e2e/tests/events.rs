//! Records start runs: each record is in exactly one of them.

#![allow(clippy::unwrap_used)]

use e2e::{Folder, World};
use postgres::PgPool;
use serde_json::{Value, json};
use test_support::eventually;

const SCHEMA: &str = r#"{"type":"record","name":"N","fields":[{"name":"id","type":"string"}]}"#;
const PIPELINE: &str = "[streams.{p}_in]\nschema = \"n.avsc\"\nkey = [\"id\"]\npartitions = 2\n";
const DAG: &str = r#"
on = { stream = "{p}_in", at_least = 2, within = "2s" }
max_active_runs = 2

[tasks.tell]
kind = "command"
run = ["echo", "{{ event.records }} records of {{ event.topic }}: {{ event.from }} to {{ event.to }}"]
"#;

/// Where the runs have come, as soon as the scheduler has looked at the topic.
async fn place(database: &PgPool, dag: &str) -> Option<i64> {
    let statement = "SELECT (SELECT sum(value::bigint)::bigint FROM jsonb_each_text(places)) FROM dag_place WHERE dag = $1 AND topic_id IS NOT NULL";
    let row: Option<(Option<i64>,)> =
        sqlx::query_as(statement).bind(dag).fetch_optional(database).await.unwrap();
    row.map(|(places,)| places.unwrap_or_default())
}

async fn send(world: &World, stream: &str, ids: std::ops::Range<u32>) {
    let lines: Vec<String> = ids.map(|id| json!({"id": format!("{id}")}).to_string()).collect();
    let (status, answer) = world.send(stream, &lines.join("\n"), "").await;
    assert_eq!(status, 200, "{answer}");
}

async fn runs(world: &World, dag: &str) -> Vec<Value> {
    let found = world.get("scheduler", &format!("/api/v1/runs?dag={dag}")).await;
    found.as_array().unwrap().iter().rev().cloned().collect()
}

/// Waits until the runs that have succeeded hold so many records. Answers them, the oldest first.
async fn held(world: &World, dag: &str, records: i64) -> Vec<Value> {
    eventually(&format!("{records} records are in runs of {dag}"), || async {
        let runs = runs(world, dag).await;
        let good = runs.iter().filter(|run| run["state"] == "success");
        let sum: i64 = good.filter_map(|run| run["event"]["records"].as_i64()).sum();
        (sum == records).then_some(runs)
    })
    .await
}

async fn post(world: &World, path: &str) {
    let url = format!("{}/api/v1/{path}", world.stack.address("scheduler"));
    assert!(world.http.post(url).json(&json!({})).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn each_record_is_in_one_run_and_a_pause_loses_none() {
    let world = World::running();
    let folder = Folder::add(&[("n.avsc", SCHEMA), ("pipeline.toml", PIPELINE)]);
    let database = world.postgres("millrace").await;
    let (dag, stream) = (folder.name.clone(), format!("{}_in", folder.name));
    eventually("the stream takes records", || async {
        (world.send(&stream, "{\"id\": \"before\"}", "").await.0 == 200).then_some(())
    })
    .await;
    folder.write(&format!("dags/{dag}.toml"), DAG);
    let before = eventually("the topic was looked at", || place(&database, &dag)).await;
    assert_eq!(before, 1, "it begins at the end");

    send(&world, &stream, 0..7).await;
    let first = held(&world, &dag, 7).await;
    assert!(first.iter().all(|run| run["cause"] == "kafka"), "{first:#?}");
    let id = first[0]["id"].as_str().unwrap();
    let told = world.get("scheduler", &format!("/api/v1/runs/{id}/tasks/tell")).await;
    let line = told["log"][0]["line"].as_str().unwrap().to_owned();
    assert!(line.contains(&format!("records of {stream}: {{")), "{line}");

    // One record alone waits for `within`.
    send(&world, &stream, 7..8).await;
    held(&world, &dag, 8).await;

    post(&world, &format!("dags/{dag}/pause")).await;
    send(&world, &stream, 8..12).await;
    send(&world, &stream, 12..15).await;
    post(&world, &format!("dags/{dag}/unpause")).await;
    let all = held(&world, &dag, 15).await;
    // Each run begins where the one before it ended.
    for pair in all.windows(2) {
        assert_eq!(pair[0]["event"]["to"], pair[1]["event"]["from"], "{all:#?}");
    }
}
