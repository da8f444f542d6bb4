//! A made-up cluster, for tests of the pages and for looking at them.

use chrono::{DateTime, TimeDelta, Utc};
use control_center::{
    Seen, Slot, Subject,
    messages::{Content, Found, Message, Shown},
    oldest::Oldest,
    picture::Picture,
    survey::Survey,
};
use kafka::cluster::{Broker, Partition, Topic};
use registry::Version;
use serde_json::json;
use std::collections::BTreeMap;
use wire::passed::Offsets;

/// What would hurt if it were not escaped.
pub const HOSTILE: &str = "<script>alert(1)</script>";

/// By name, as Kafka's answer is: name, partitions, and how fast it grows.
const TOPICS: [(&str, i32, i64); 7] = [
    ("__consumer_offsets", 8, 40),
    ("__transaction_state", 8, 30),
    ("millrace.users_clean.changelog", 4, 12),
    ("signups_per_country", 1, 9),
    ("users", 4, 420),
    ("users-dead", 4, 1),
    ("users_clean", 4, 411),
];

/// A cluster of three brokers after two minutes; with `trouble`, one broker is gone and two groups are behind.
pub fn seen(now: DateTime<Utc>, trouble: bool) -> Seen {
    let mut picture: Option<Picture> = None;
    for n in 0..=60 {
        let survey = survey(now - TimeDelta::seconds(2 * (60 - n)), n, trouble);
        picture = Some(Picture::of(survey, picture.as_ref(), &Oldest::default()));
    }
    let mut picture = picture.unwrap();
    for group in &mut picture.groups {
        let behind = group.topics.values_mut().flatten().filter(|place| place.lag > Some(0));
        behind
            .for_each(|place| place.oldest = Some(now - TimeDelta::seconds(61 + i64::from(place.partition))));
    }
    let mut seen = Seen::default();
    seen.kafka.take(now, Ok(picture));
    seen.jobs.take(now, Ok(slots(now, trouble)));
    seen.schemas.take(now, Ok(subjects()));
    seen
}

fn survey(at: DateTime<Utc>, n: i64, trouble: bool) -> Survey {
    let brokers = if trouble { 1..=2 } else { 1..=3 };
    let broker = |id: i32| Broker { id, address: format!("127.0.0.1:{}", 9091 + id), controller: id == 1 };
    let offsets = |of: &dyn Fn(i64, i32) -> i64| {
        let topic = |(name, partitions, pace): &(&str, i32, i64)| {
            (
                (*name).to_owned(),
                Offsets((0..*partitions).map(|partition| (partition, of(*pace, partition))).collect()),
            )
        };
        TOPICS.iter().map(topic).collect::<BTreeMap<_, _>>()
    };
    let wave = |pace: i64| pace * (2_000 + 2 * n) + ((n as f64 / 7.0).sin() * pace as f64 * 3.0) as i64;
    Survey {
        at,
        brokers: brokers.map(broker).collect(),
        topics: TOPICS.iter().map(|topic| made(topic, trouble)).collect(),
        first: offsets(&|pace, _| pace * 100),
        end: offsets(&|pace, partition| wave(pace) + i64::from(partition)),
        sizes: TOPICS
            .iter()
            .map(|(name, partitions, pace)| {
                ((*name).to_owned(), (0..*partitions).map(|p| (p, pace * 41_000)).collect())
            })
            .collect(),
        groups: Ok(groups(
            &|topic, behind| {
                let (_, partitions, pace) = TOPICS.iter().find(|(name, ..)| *name == topic).unwrap();
                Offsets(
                    (0..*partitions)
                        .map(|partition| (partition, wave(*pace) + i64::from(partition) - behind))
                        .collect(),
                )
            },
            n,
            trouble,
        )),
        troubles: vec![],
    }
}

fn made((name, partitions, _): &(&str, i32, i64), trouble: bool) -> Topic {
    let partition = |id: i32| {
        let replicas: Vec<i32> = (0..3).map(|n| (id + n) % 3 + 1).collect();
        let in_sync: Vec<i32> = replicas.iter().copied().filter(|id| !trouble || *id != 3).collect();
        Partition { id, leader: in_sync[0], replicas, in_sync }
    };
    let id = format!("018f3a2b-77aa-7c3e-9f00-5d1b2ac3d2{:02x}", name.len());
    Topic {
        name: (*name).to_owned(),
        id: id.parse().unwrap(),
        internal: name.starts_with("__"),
        partitions: (0..*partitions).map(partition).collect(),
    }
}

type Groups = BTreeMap<String, Result<BTreeMap<String, Offsets>, String>>;

fn groups(at: &dyn Fn(&str, i64) -> Offsets, n: i64, trouble: bool) -> Groups {
    let group = |name: &str, topic: &str, offsets: Offsets| {
        (name.to_owned(), Ok(BTreeMap::from([(topic.to_owned(), offsets)])))
    };
    let still = Offsets((0..4).map(|partition| (partition, 822_000)).collect());
    let growing = if trouble { 40 * n } else { 0 };
    [
        group("job.users_clean", "users", at("users", growing)),
        group("job.signups_per_country", "users_clean", at("users_clean", if n % 3 == 0 { 41 } else { 7 })),
        group("sink.created_users", "users_clean", at("users_clean", 0)),
        group("sink.users", "users_clean", if trouble { still } else { at("users_clean", 0) }),
        group("console-consumer-<1>", "users", at("users", 0)),
    ]
    .into()
}

fn slots(now: DateTime<Utc>, trouble: bool) -> Vec<Slot> {
    let slot = |job: &str, slot: i32, state: &str, reason: Option<&str>| Slot {
        job: job.into(),
        slot,
        worker: Some(format!("worker-{}", slot + 1)),
        state: state.into(),
        reason: reason.map(str::to_owned),
        rows_in: 1_620_412,
        rows_out: 1_618_007,
        dead: 214,
        lag: 0,
        watermark: Some(now - TimeDelta::seconds(11)),
        updated_at: Some(now - TimeDelta::seconds(1)),
    };
    let failed =
        trouble.then_some("the state could not be restored: the changelog ends before its transaction");
    vec![
        slot("signups_per_country", 0, if trouble { "failed" } else { "running" }, failed),
        slot("users_clean", 0, "running", None),
        slot("users_clean", 1, "running", None),
    ]
}

fn subjects() -> Vec<Subject> {
    let id = json!({"name": "id", "type": "string", "doc": "Given by the source; the key."});
    let fetched_at =
        json!({"name": "fetched_at", "type": {"type": "long", "logicalType": "timestamp-millis"}});
    let city = json!({"name": "city", "type": ["null", "string"], "default": null, "doc": HOSTILE});
    let schema = |fields: &[&serde_json::Value]| {
        json!({"type": "record", "name": "User", "namespace": "millrace", "fields": fields}).to_string()
    };
    let version =
        |subject: &str, version, id, schema: String| Version { subject: subject.into(), version, id, schema };
    let users = vec![
        version("users-value", 1, 1, schema(&[&id, &fetched_at])),
        version("users-value", 2, 4, schema(&[&id, &fetched_at, &city])),
    ];
    let clean = vec![version("users_clean-value", 1, 2, schema(&[&id, &city]))];
    vec![
        Subject { name: "users-value".into(), versions: users },
        Subject { name: "users_clean-value".into(), versions: clean },
    ]
}

/// Messages of each kind: decoded, a dead letter, one that can't be decoded, a tombstone.
pub fn found(now: DateTime<Utc>) -> Found {
    let content = |shown, problem: Option<&str>| Content {
        shown,
        schema_id: problem.map(|_| 4),
        problem: problem.map(str::to_owned),
        bytes: 187,
    };
    let user = |n: i64| {
        json!({"id": format!("018f3a2b-77aa-7c3e-9f00-5d1b2ac3d2{n:02x}"), "first_name": "Zoë", "city": HOSTILE, "country": "Norway",
            "post_code": "0150", "fetched_at": "2026-03-01T12:03:07.25Z"})
    };
    let message = |n: i64, value, headers: &[(&str, &str)]| Message {
        partition: (n % 4) as i32,
        offset: 840_412 - n,
        time: Some(now - TimeDelta::seconds(7 * n + 1)),
        key: Some(content(Shown::Text(format!("018f3a2b-77aa-7c3e-9f00-5d1b2ac3d2{n:02x}")), None)),
        value,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let dead = [
        ("stage", "producer"),
        ("reason", "field \"dob\": expected a timestamp (RFC 3339), found \"<script>\""),
        ("topic", "users"),
    ];
    let mut messages: Vec<Message> = (0..9)
        .map(|n| message(n, Some(content(Shown::Json(user(n)), None)), &[("record-id", "018f")]))
        .collect();
    messages.push(message(9, Some(content(Shown::Text(format!("{{\"id\": \"{HOSTILE}\"}}")), None)), &dead));
    let bytes = Shown::Bytes(b"\0\0\0\0\x04<script>\xff".to_vec());
    messages.push(message(
        10,
        Some(content(bytes, Some("schema 4: the Avro body does not fit its schema"))),
        &[],
    ));
    messages.push(message(11, None, &[]));
    Found {
        topic: "users".into(),
        messages,
        first: Offsets((0..4).map(|partition| (partition, 42_000)).collect()),
        end: Offsets((0..4).map(|partition| (partition, 840_413)).collect()),
        unfinished: vec![],
        older: Some(840_401),
        newer: None,
    }
}
