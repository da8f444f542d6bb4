//! One of three brokers dies: others lead its partitions, nobody waits for it, and nothing is lost.

#![allow(clippy::unwrap_used)]

use e2e::{Fleet, REST_MAX, Signal, Story, evidence::By, say};
use std::time::Duration;

const BROKERS: u16 = 3;
/// ZooKeeper takes a broker for gone after six seconds.
const MOVES_WITHIN: Duration = Duration::from_secs(60);
/// Jobs find the new coordinators of their group and of their transactions: a question to the dead one takes up to eleven seconds.
const WORKED_ON_WITHIN: Duration = Duration::from_secs(90);
/// A broker that comes back copies what it has missed.
const IN_SYNC_WITHIN: Duration = Duration::from_secs(120);

/// Which broker leads the first partition of the events.
async fn leader(fleet: &Fleet) -> Option<i32> {
    let topic = fleet.cluster.topic("events").await.ok()?;
    topic.partitions.first().map(|partition| partition.leader).filter(|leader| *leader > 0)
}

/// Each partition of the events is on three brokers.
async fn is_whole(fleet: &Fleet) -> bool {
    let topic = fleet.cluster.topic("events").await;
    topic.is_ok_and(|topic| topic.partitions.iter().all(|one| one.in_sync.len() == usize::from(BROKERS)))
}

fn name(broker: i32) -> String {
    if broker == 1 { "kafka".into() } else { format!("kafka-{broker}") }
}

/// kill −9 of the broker that leads a partition, under load. Another leads, and load and jobs go on, before it is waited for.
async fn kill_the_leader(fleet: &Fleet, story: &Story<'_>) {
    fleet.within(IN_SYNC_WITHIN, "all is on three brokers", || is_whole(fleet)).await.unwrap();
    let killed = leader(fleet).await.unwrap();
    let pid = fleet.signal_server(&name(killed), Signal::KILL).unwrap();
    let moved = || async { leader(fleet).await.is_some_and(|now| now != killed) };
    fleet.within(MOVES_WITHIN, "another broker leads", moved).await.unwrap();
    story.goes_on(300).await.unwrap();
    story.is_worked_on(WORKED_ON_WITHIN).await.unwrap();
    fleet.server_is_back(&name(killed), pid).await.unwrap();
    story.goes_on(100).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_brokers_die_one_after_the_other() {
    let fleet = Fleet::start("brokers", BROKERS).await.unwrap();
    let mut story = Story::begin(&fleet, "three").await.unwrap();
    story.load(story.events());
    story.goes_on(200).await.unwrap();
    for _ in 0..2 {
        kill_the_leader(&fleet, &story).await;
    }
    let report = story.check(By::Console, REST_MAX).await.unwrap();
    say(&report.to_string());
    assert!(report.is_clean(), "{report}");
    assert_eq!(fleet.panics(), [""; 0], "no process panicked");
}
