//! OpenLineage: a collector and a topic are told of each try while it happens.

#![allow(clippy::unwrap_used)]

use e2e::{Crew, World, collector, first_records};
use kafka::{Cluster, Record, TopicSpec, topics};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};
use test_support::unique;
use tokio::time::timeout;

const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// `START dag.task`
fn in_short(event: &Value) -> String {
    format!("{} {}", event["eventType"].as_str().unwrap(), event["job"]["name"].as_str().unwrap())
}

async fn in_topic(bootstrap: String, topic: String, many: usize) -> Vec<Value> {
    let event = |record: Record| serde_json::from_slice(&record.payload.unwrap()).unwrap();
    first_records(bootstrap, topic, many, TOLD_WITHIN).await.into_iter().map(event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_and_a_topic_are_told_of_each_try() {
    let bootstrap = World::running().stack.address("kafka").to_owned();
    let (url, mut collected) = collector("/api/v1/lineage", 201, |event| vec![event]).await;
    let url = format!("{url}/api/v1/lineage");
    let topic = unique("lineage");
    topics::ensure(&Cluster::new(&bootstrap), &[TopicSpec::new(&topic, 1, 1, None)]).await.unwrap();
    let settings = [("MILLRACE_LINEAGE_URL", url.as_str()), ("MILLRACE_LINEAGE_TOPIC", topic.as_str())];
    let crew = Crew::start(&[("one", &settings)]).await;
    let folder = crew.dag(
        "[tasks.good]\nkind = \"command\"\nrun = [\"true\"]\n[tasks.bad]\nkind = \"command\"\nrun = [\"false\"]\n",
    );
    let id = crew.trigger(&folder.name).await;
    assert_eq!(crew.ends(id).await, "failed");

    let expected: BTreeSet<String> = ["START good", "COMPLETE good", "START bad", "FAIL bad"]
        .map(|event| event.replace(' ', &format!(" {}.", folder.name)))
        .into();
    let mut told = vec![];
    for _ in &expected {
        told.push(timeout(TOLD_WITHIN, collected.recv()).await.expect("the collector is told").unwrap());
    }
    let in_topic = in_topic(bootstrap, topic, expected.len()).await;
    for events in [&told, &in_topic] {
        assert_eq!(events.iter().map(in_short).collect::<BTreeSet<_>>(), expected);
        assert!(
            events
                .iter()
                .all(|event| event["run"]["facets"]["parent"]["run"]["runId"] == id.to_string().as_str())
        );
    }
    // What was refused once was told again.
    assert_eq!(told, in_topic);
}
