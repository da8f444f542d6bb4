//! Bad input at every door: each gets a clear reason, or is in the dead letters with it; the next good record passes; memory
//! stays bounded.

#![allow(clippy::unwrap_used)]

mod config;
mod fetcher;
mod producer;
mod rest;
mod slow;
mod topic;

use e2e::{Folder, Letters, World};
use serde_json::json;
use std::collections::BTreeSet;
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

/// What an answer is about; one of them is in each.
const THINGS: [&str; 10] = [
    "record",
    "the body",
    "field \"",
    "stream",
    "source",
    "POST /",
    "GET /",
    "/api/",
    "there is no ",
    "idempotency_key",
];
/// What to do now; one of them is in each.
const STEPS: [&str; 14] = [
    "expected",
    "send ",
    "correct",
    "Correct",
    "declare ",
    "leave ",
    "give ",
    "change `",
    "Is it ",
    "Open this",
    "says what it takes",
    "add it",
    "Add ",
    "write ",
];

/// What a door answers its caller names the thing, and says what to do now.
fn assert_clear(about: &str, told: &str) {
    let holds = |parts: &[&str]| parts.iter().any(|part| told.to_lowercase().contains(&part.to_lowercase()));
    assert!(holds(&THINGS), "{about}: it names no thing: {told}");
    assert!(holds(&STEPS), "{about}: it says no next step: {told}");
}

/// The place of the dead letter of this reason that is not in `known`; it is then.
async fn letter_of(letters: &Letters, reason: &'static str, known: &mut BTreeSet<(i32, i64)>) {
    let seen = known.clone();
    let is_new = move |letter: &kafka::Record| {
        let says = letter.header("reason").is_some_and(|told| told.contains(reason));
        says && !seen.contains(&(letter.partition, letter.offset))
    };
    let found = letters.find(reason, is_new).await;
    known.insert((found.partition, found.offset));
}

/// The next good record passes.
async fn passes(world: &World, stream: &str, after: &str) {
    let (status, answer) = world.send(stream, &good(&unique("good")), "").await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "after {after}: {answer}");
}
