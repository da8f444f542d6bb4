//! Bad input at every door: each gets a clear reason, or is in the dead letters with it; the next good record passes; memory
//! stays bounded.

#![allow(clippy::unwrap_used)]

mod config;
mod fetcher;
mod producer;
mod rest;
mod slow;
mod topic;

use e2e::{Folder, World};
use serde_json::json;
use test_support::{eventually, unique};

/// Over what a process held before.
const GROWTH_MIB_MAX: u64 = 128;

const SCHEMA: &str = r#"{"type":"record","name":"N","fields":[
    {"name":"id","type":"string"}, {"name":"n","type":"long"}, {"name":"text","type":["null","string"],"default":null},
    {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"default":null}]}"#;

/// A pipeline with a door of each kind: a job that reads `in`, and a table in each database that reads `raw`.
fn doors() -> Folder {
    let definition = r#"
[streams.{p}_in]
schema = "n.avsc"
key = ["id"]
event_time = "at"
partitions = 1

[streams.{p}_out]
schema = "n.avsc"
key = ["id"]
partitions = 1

[streams.{p}_raw]
schema = "n.avsc"
key = ["id"]
partitions = 1

[jobs.{p}_copy]
sql = "copy.sql"
into = "{p}_out"
slots = 1

[tables.{p}_o]
store = "postgres"
stream = "{p}_out"

[tables.{p}_p]
store = "postgres"
stream = "{p}_raw"

[tables.{p}_c]
store = "cassandra"
stream = "{p}_raw"
partition_key = ["id"]
"#;
    Folder::add(&[
        ("n.avsc", SCHEMA),
        ("copy.sql", "SELECT id, n, text, at FROM {p}_in"),
        ("pipeline.toml", definition),
    ])
}

fn good(id: &str) -> String {
    json!({"id": id, "n": 1, "text": "å", "at": "2026-03-01T12:00:00Z"}).to_string()
}

/// Sends a good record until the stream takes it: a new pipeline needs a moment. Answers its id.
async fn first_good(world: &World, stream: &str) -> String {
    let id = unique("first");
    eventually(&format!("{stream} takes records"), || async {
        (world.send(stream, &good(&id), "").await.0 == 200).then_some(())
    })
    .await;
    id
}

/// The next good record passes.
async fn passes(world: &World, stream: &str, after: &str) {
    let (status, answer) = world.send(stream, &good(&unique("good")), "").await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "after {after}: {answer}");
}
