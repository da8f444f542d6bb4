//! A pipeline is a folder: added, edited and spoilt while everything runs.

#![allow(clippy::unwrap_used)]

use e2e::{Folder, World};
use kafka::{Polled, RECORD_ID, Reader, Start};
use serde_json::json;
use std::{cell::Cell, collections::BTreeSet, time::Duration};
use test_support::eventually;

/// Events with a number, doubled by a job, in a PostgreSQL table.
fn doubled() -> Folder {
    let schema =
        r#"{"type":"record","name":"N","fields":[{"name":"id","type":"string"},{"name":"n","type":"long"}]}"#;
    Folder::add(&[
        ("n.avsc", schema),
        ("double.sql", "SELECT id, n * 2 AS n FROM {p}_in"),
        ("pipeline.toml", &with_slots(2)),
    ])
}

fn with_slots(slots: usize) -> String {
    format!(
        "[streams.{{p}}_in]\nschema = \"n.avsc\"\nkey = [\"id\"]\npartitions = 2\n\n[streams.{{p}}_out]\nschema = \"n.avsc\"\nkey = [\"id\"]\npartitions = 2\n\n\
         [jobs.{{p}}_double]\nsql = \"double.sql\"\ninto = \"{{p}}_out\"\nslots = {slots}\n\n[tables.{{p}}_t]\nstore = \"postgres\"\nstream = \"{{p}}_out\"\n"
    )
}

#[tokio::test]
async fn a_pipeline_is_added_edited_and_spoilt_while_it_runs() {
    let world = World::running();
    let analytics = world.postgres("analytics").await;
    let folder = doubled();
    let number = |id: &'static str| {
        let (analytics, statement) =
            (analytics.clone(), format!("SELECT n FROM {}_t WHERE id = '{id}'", folder.name));
        async move {
            sqlx::query_as::<_, (i64,)>(sqlx::AssertSqlSafe(statement))
                .fetch_optional(&analytics)
                .await
                .ok()?
                .map(|(n,)| n)
        }
    };
    let send = |id: &'static str, n: i64| {
        let (world, stream) = (&world, format!("{}_in", folder.name));
        async move { world.send(&stream, &json!({"id": id, "n": n}).to_string(), "").await.0 }
    };

    // Adding one is adding a folder.
    eventually("the new stream takes records", || async { (send("a", 21).await == 200).then_some(()) }).await;
    assert_eq!(eventually("the row is there", || number("a")).await, 42);

    // A good edit takes effect without a restart: the job's next version adds one.
    folder.write("double.sql", "SELECT id, n * 2 + 1 AS n FROM {p}_in");
    eventually("the edited job is at work", || async {
        send("b", 21).await;
        number("b").await.filter(|n| *n == 43)
    })
    .await;

    // A bad edit is told with its place and changes nothing.
    folder.write("double.sql", "SELECT id,\n  nn * 2 AS n FROM {p}_in");
    let told = format!("Not published: {}/double.sql:2", folder.name);
    eventually("the mistake is shown", || async {
        world.page("scheduler", "/").await.contains(&told).then_some(())
    })
    .await;
    send("c", 21).await;
    assert_eq!(eventually("the last good version goes on", || number("c")).await, 43);
}

#[tokio::test]
async fn a_job_is_cut_into_another_number_of_slots_under_load_and_works_on_each_record_once() {
    let world = World::running();
    let folder = doubled();
    let (input, job) = (format!("{}_in", folder.name), format!("{}_double", folder.name));
    let sent = Cell::new(0);
    let send_100 = || async {
        let line = |n: usize| format!("{}\n", json!({"id": n.to_string(), "n": n}));
        let lines: String = (sent.get()..sent.get() + 100).map(line).collect();
        let taken = world.send(&input, &lines, "").await.0 == 200;
        sent.set(sent.get() + if taken { 100 } else { 0 });
        taken.then_some(())
    };
    eventually("the new stream takes records", send_100).await;
    for slots in [1, 2] {
        folder.write("pipeline.toml", &with_slots(slots));
        eventually("the job runs with its new number of slots, and records come all the while", || async {
            send_100().await?;
            let seen = world.get("coordinator", "/api/v1/jobs").await;
            let mine = seen["slots"].as_array()?.iter().filter(|slot| slot["job"] == job.as_str());
            let states: Vec<_> = mine.map(|slot| slot["state"] == "running").collect();
            (states == vec![true; slots]).then_some(())
        })
        .await;
    }
    eventually("a last hundred records", send_100).await;

    let (bootstrap, output) = (world.stack.address("kafka").to_owned(), format!("{}_out", folder.name));
    let ids = eventually("each record has come out", || async {
        let (bootstrap, output) = (bootstrap.clone(), output.clone());
        let ids = tokio::task::spawn_blocking(move || record_ids(&bootstrap, &output)).await.ok()?;
        (ids.len() >= sent.get()).then_some(ids)
    })
    .await;
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), sent.get());
    assert_eq!(ids.len(), sent.get(), "a record came out twice");
}

/// The ids of all committed records of a topic with two partitions.
fn record_ids(bootstrap: &str, topic: &str) -> Vec<String> {
    let reader = Reader::new(bootstrap).unwrap();
    reader.assign(&[0, 1].map(|partition| (topic.to_owned(), partition, Start::Beginning))).unwrap();
    let (mut ids, mut open) = (vec![], 2);
    while open > 0 {
        match reader.poll(Duration::from_millis(100)).unwrap() {
            Polled::Record(record) => ids.push(record.header(RECORD_ID).unwrap().to_owned()),
            Polled::End { .. } => open -= 1,
            Polled::Nothing => {}
        }
    }
    ids
}
