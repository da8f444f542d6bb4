//! On the real broker of the running stack, each test with topics of its own.

#![allow(clippy::unwrap_used)]

use kafka::{
    Batches, Cluster, Group, KafkaError, Lent, Outgoing, Polled, Progress, Reader, Sender, Start, TopicSpec,
    TransactionError, Transactional, cluster::End,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use test_support::{PATIENCE, Stack, eventually, unique};

async fn topic(partitions: usize) -> (String, String) {
    let (bootstrap, name) = (Stack::running().address("kafka").to_owned(), unique("topic"));
    let cluster = Cluster::new(&bootstrap);
    eventually("the topic is made", || async {
        kafka::topics::ensure(&cluster, &[TopicSpec::new(&name, partitions, 1, None)]).await.ok()
    })
    .await;
    eventually("its leaders are chosen", || async { cluster.ends(&name, End::Stable).await.ok() }).await;
    (bootstrap, name)
}

fn record(topic: &str, key: &str, payload: &str) -> Outgoing {
    Outgoing {
        topic: topic.into(),
        key: Some(key.into()),
        payload: Some(payload.into()),
        headers: vec![("record-id", key.into())],
        partition: None,
    }
}

fn lent<'a>(topic: &'a str, payload: &'a str) -> Lent<'a> {
    let (key, headers) = (Some("a".as_bytes()), &[("record-id", "a")]);
    Lent { topic, key, payload: Some(payload.as_bytes()), headers, partition: None }
}

/// Reads until the first record is there or everything is read.
fn read_all(reader: &Reader, partitions: usize) -> Vec<String> {
    let (started, mut open, mut found) = (Instant::now(), partitions, vec![]);
    while open > 0 {
        assert!(started.elapsed() < PATIENCE, "the ends were not reached");
        match reader.poll(Duration::from_millis(100)).unwrap() {
            Polled::Record(record) => {
                found.push(String::from_utf8(record.payload.unwrap().to_vec()).unwrap())
            }
            Polled::End { .. } => open -= 1,
            Polled::Nothing => {}
        }
    }
    found
}

#[tokio::test]
async fn each_record_is_answered_with_its_place_and_a_key_stays_in_its_partition() {
    let (bootstrap, name) = topic(3).await;
    let sender = Sender::new(&bootstrap).unwrap();
    let records = (0..60).map(|n| record(&name, &format!("key {}", n % 6), &n.to_string())).collect();
    let places: Vec<_> = sender.send_all(records).await.into_iter().map(Result::unwrap).collect();
    for key in 0..6 {
        let of_key: Vec<_> = (0..10).map(|n| places[key + n * 6]).collect();
        assert!(
            of_key
                .windows(2)
                .all(|pair| pair[0].partition == pair[1].partition && pair[0].offset < pair[1].offset),
            "{of_key:?}"
        );
    }
    let end = Cluster::new(&bootstrap).ends(&name, End::Stable).await.unwrap();
    assert_eq!(end.0.values().sum::<i64>(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_owner_fences_the_old_one_and_nothing_of_its_open_transaction_is_seen() {
    let (bootstrap, name) = topic(1).await;
    let id = unique("slot");
    let done = tokio::task::spawn_blocking(move || {
        let group = Group::new(&bootstrap, &id).unwrap();
        let old = Transactional::new(&bootstrap, &id).unwrap();
        old.begin().unwrap();
        old.send(lent(&name, "of the old one")).unwrap();
        let new = Transactional::new(&bootstrap, &id).unwrap();
        let refused = old.commit(&[], &group);
        assert!(matches!(refused, Err(TransactionError::Fenced)), "{refused:?}");
        new.begin().unwrap();
        new.send(lent(&name, "of the new one")).unwrap();
        let place = Progress { topic: name.clone(), partition: 0, offset: 7, metadata: "42".into() };
        new.commit(&[place], &group).unwrap();
        let reader = Reader::new(&bootstrap).unwrap();
        reader.assign(&[(name.clone(), 0, Start::Beginning)]).unwrap();
        assert_eq!(read_all(&reader, 1).last().map(String::as_str), Some("of the new one"));
        let committed = group.committed(&name, 1).unwrap().remove(0);
        assert_eq!((committed.offset, committed.metadata.as_str()), (Some(7), "42"));
    });
    done.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_since_a_time_leaves_out_what_is_older() {
    let (bootstrap, name) = topic(2).await;
    let sender = Sender::new(&bootstrap).unwrap();
    sender.send_all(vec![record(&name, "a", "older")]).await.remove(0).unwrap();
    let now_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let sent = now_ms();
    let since =
        eventually("a millisecond has passed", || async { Some(now_ms()).filter(|now| *now > sent) }).await;
    sender.send_all(vec![record(&name, "a", "newer")]).await.remove(0).unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let reader = Reader::peek(&bootstrap).unwrap();
        reader.assign(&reader.places_since(&name, 2, since).unwrap()).unwrap();
        read_all(&reader, 2)
    });
    assert_eq!(read.await.unwrap(), ["newer"]);
}

/// Reads batches until the end was told for each partition: payloads, and what is next per partition.
fn batches(batches: &mut Batches, partitions: usize, max: usize) -> (Vec<String>, BTreeMap<i32, i64>) {
    let (started, mut found, mut next) = (Instant::now(), vec![], BTreeMap::new());
    let mut ended = BTreeSet::new();
    while ended.len() < partitions {
        assert!(started.elapsed() < PATIENCE, "the ends were not reached: {next:?}");
        let Some(part) = batches.next(max, Duration::from_millis(100)).unwrap() else { continue };
        assert!(part.records.len() <= max && part.records.iter().all(|record| record.offset < part.next));
        next.insert(part.partition, part.next);
        if part.end {
            ended.insert(part.partition);
        }
        found.extend(part.records.iter().map(|record| {
            assert_eq!(record.header("record-id"), Some("a"));
            String::from_utf8(record.payload.clone().unwrap().to_vec()).unwrap()
        }));
    }
    (found, next)
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_bring_what_was_committed_and_reach_behind_the_markers() {
    let (bootstrap, name) = topic(1).await;
    let (id, runtime) = (unique("slot"), tokio::runtime::Handle::current());
    let read = tokio::task::spawn_blocking(move || {
        let group = Group::new(&bootstrap, &id).unwrap();
        let written = |text: &str, commits: bool| {
            let producer = Transactional::new(&bootstrap, &id).unwrap();
            producer.begin().unwrap();
            (0..3).for_each(|_| producer.send(lent(&name, text)).unwrap());
            if commits {
                producer.commit(&[], &group).unwrap();
            } else {
                // What was sent is with the broker, and the next of this id aborts it.
                let place = Progress {
                    topic: "no such topic".into(),
                    partition: 0,
                    offset: 1,
                    metadata: String::new(),
                };
                producer.commit(&[place], &group).unwrap_err();
            }
        };
        written("first", true);
        written("aborted", false);
        written("last", true);
        let cluster = Cluster::new(&bootstrap);
        let mut all = Batches::start(&cluster, &name, &[(0, 0)], &runtime);
        let whole = batches(&mut all, 1, 2);
        // Inside of a batch, and behind all.
        let mut some = Batches::start(&cluster, &name, &[(0, 2)], &runtime);
        let mut none = Batches::start(&cluster, &name, &[(0, 12)], &runtime);
        (whole, batches(&mut some, 1, 100), batches(&mut none, 1, 100))
    });
    let ends = BTreeMap::from([(0, 12)]);
    let last = ["first", "first", "first", "last", "last", "last"].map(str::to_owned);
    let expected = ((last.to_vec(), ends.clone()), (last[2..].to_vec(), ends.clone()), (vec![], ends));
    assert_eq!(read.await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_a_place_that_is_not_there_go_on_with_the_oldest_record() {
    let (bootstrap, name) = topic(2).await;
    let runtime = tokio::runtime::Handle::current();
    let sender = Sender::new(&bootstrap).unwrap();
    let sent = sender.send_all(vec![record(&name, "a", "one"), record(&name, "a", "two")]).await;
    let partition = sent[0].as_ref().unwrap().partition;
    let read = tokio::task::spawn_blocking(move || {
        let mut all = Batches::start(&Cluster::new(&bootstrap), &name, &[(partition, 1000)], &runtime);
        batches(&mut all, 1, 100)
    });
    assert_eq!(read.await.unwrap(), (vec!["one".into(), "two".into()], BTreeMap::from([(partition, 2)])));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_a_topic_that_is_not_there_say_so() {
    let (bootstrap, runtime) =
        (Stack::running().address("kafka").to_owned(), tokio::runtime::Handle::current());
    let asked = tokio::task::spawn_blocking(move || {
        Batches::start(&Cluster::new(&bootstrap), "nowhere", &[(0, 0)], &runtime).next(1, PATIENCE)
    });
    let refused = asked.await.unwrap().unwrap_err();
    assert!(matches!(refused, KafkaError::NoTopic { .. }), "{refused}");
}
