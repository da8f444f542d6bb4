//! Reads topics and tables for the checker.

use crate::Fleet;
use anyhow::{Context, bail};
use checker::{Event, Evidence, Message, Row, SCHEMA, Shape, Table, Window};
use kafka::{Polled, Reader, Start, cluster::End};
use sqlx::AssertSqlSafe;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use wire::{avro::Codec, passed::Offsets};

/// With which library topics are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Kafka's own console consumer: slow to start, and not ours.
    Console,
    /// Our reader, from where the story began.
    Ours,
}

/// Where topics ended when a story began.
pub struct Marks(BTreeMap<&'static str, Offsets>);

const TOPICS: [&str; 3] = ["events", "events_clean", "events-dead"];
/// Reading a topic to its end must not hang for ever.
const READ_MAX: Duration = Duration::from_secs(60);

impl Marks {
    pub async fn now(fleet: &Fleet) -> anyhow::Result<Self> {
        let mut marks = BTreeMap::new();
        for topic in TOPICS {
            marks.insert(topic, fleet.cluster.ends(topic, End::Stable).await?);
        }
        Ok(Self(marks))
    }
}

/// Everything that belongs to a run.
pub async fn read(fleet: &Fleet, run: &str, from: &Marks, by: By) -> anyhow::Result<Evidence> {
    let read = |topic: &'static str| async move {
        let values = match by {
            By::Console => console(fleet, topic).await?,
            By::Ours => values(fleet, topic, &from.0[topic]).await?,
        };
        of_run(run, values)
    };
    let [input, clean, dead] = TOPICS.map(read);
    let (input, clean, dead) = tokio::try_join!(input, clean, dead)?;
    let tables = vec![
        Table {
            name: "events_by_id".into(),
            shape: Shape::Id,
            rows: in_cassandra(fleet, run, "events_by_id", "id").await?,
        },
        Table {
            name: "events_by_key".into(),
            shape: Shape::Key,
            rows: in_cassandra(fleet, run, "events_by_key", "key").await?,
        },
        Table {
            name: "event_rows".into(),
            shape: Shape::Id,
            rows: in_postgres(fleet, run, "event_rows").await?,
        },
        Table {
            name: "newest_events".into(),
            shape: Shape::Key,
            rows: in_postgres(fleet, run, "newest_events").await?,
        },
    ];
    let windows = Some(windows(fleet, run).await?);
    Ok(Evidence { input, clean, dead, tables, windows, ..Evidence::default() })
}

type Value = (i32, i64, Vec<u8>);

fn of_run(run: &str, values: Vec<Value>) -> anyhow::Result<Vec<Message>> {
    let codec = Codec::parse(SCHEMA)?;
    let mut messages = vec![];
    for (partition, offset, value) in values {
        let event = Event::read(&codec, &value)
            .with_context(|| format!("partition {partition}, offset {offset} holds no event"))?;
        if event.id.starts_with(run) {
            messages.push(Message { partition, offset, event });
        }
    }
    Ok(messages)
}

/// A whole topic, as Kafka's own consumer prints it. It must have come to the end: it ends by itself when it was starved.
pub async fn console(fleet: &Fleet, topic: &str) -> anyhow::Result<Vec<Value>> {
    let printed = fleet.console()?.read(topic).await?;
    if printed.is_empty() && fleet.cluster.ends(topic, End::Stable).await?.0.values().any(|end| *end > 0) {
        bail!("Kafka's consumer saw nothing of {topic}, which is not empty: is the machine too busy?");
    }
    Ok(printed.into_iter().map(|record| (record.partition, record.offset, record.value)).collect())
}

/// A topic from some places to its end.
pub async fn values(fleet: &Fleet, topic: &str, from: &Offsets) -> anyhow::Result<Vec<Value>> {
    let partitions = fleet.cluster.topic(topic).await?.partitions;
    let assigned: Vec<_> = partitions
        .iter()
        .map(|partition| {
            let start = from.0.get(&partition.id).map_or(Start::Beginning, |next| Start::At(*next));
            (topic.to_owned(), partition.id, start)
        })
        .collect();
    let (bootstrap, topic) = (fleet.cluster.bootstrap().to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || {
        let reader = Reader::new(&bootstrap, "fault-tests")?;
        reader.assign(&assigned)?;
        let mut left: Vec<i32> = assigned.iter().map(|(_, partition, _)| *partition).collect();
        let (mut values, started) = (vec![], Instant::now());
        while !left.is_empty() {
            match reader.poll(Duration::from_millis(100))? {
                Polled::Record(record) => values.push((
                    record.partition,
                    record.offset,
                    record.payload.unwrap_or_default().to_vec(),
                )),
                Polled::End { partition, .. } => left.retain(|other| *other != partition),
                Polled::Nothing if started.elapsed() > READ_MAX => bail!("{topic} has no end"),
                Polled::Nothing => {}
            }
        }
        Ok(values)
    })
    .await?
}

/// A range of tokens at a time: a whole table in one answer could be too much for one.
const RANGES: i128 = 8;

/// The text columns of a whole table, for rows whose first column begins with `prefix`.
pub async fn rows_of(
    fleet: &Fleet,
    prefix: &str,
    table: &str,
    columns: &str,
    key: &str,
) -> anyhow::Result<Vec<Vec<serde_json::Value>>> {
    let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
    let border = |n: i128| least + (most - least) * n / RANGES;
    let mut rows = vec![];
    for n in 0..RANGES {
        let question = format!(
            "SELECT {columns} FROM millrace.{table} WHERE token({key}) > {} AND token({key}) <= {}",
            border(n),
            border(n + 1)
        );
        rows.extend(ask(fleet, &question).await?);
    }
    rows.retain(|row| row[0].as_str().is_some_and(|text| text.starts_with(prefix)));
    Ok(rows)
}

/// Asked again for a while: the server may have been killed just now, and the driver does not know yet that it is back.
async fn ask(fleet: &Fleet, question: &str) -> anyhow::Result<Vec<Vec<serde_json::Value>>> {
    let started = Instant::now();
    loop {
        match fleet.cassandra.query(question).await {
            Ok(answer) => return Ok(answer.rows),
            Err(cause) if started.elapsed() > READ_MAX => return Err(cause.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn in_cassandra(fleet: &Fleet, run: &str, table: &str, key: &str) -> anyhow::Result<Vec<Row>> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let rows = rows_of(fleet, run, table, "id, key, seq", key).await?;
    Ok(rows
        .iter()
        .map(|row| Row { id: text(&row[0]), key: text(&row[1]), seq: row[2].as_i64().unwrap_or(-1) })
        .collect())
}

async fn in_postgres(fleet: &Fleet, run: &str, table: &str) -> anyhow::Result<Vec<Row>> {
    let question = format!("SELECT id, key, seq FROM {table} WHERE starts_with(id, $1)");
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as(AssertSqlSafe(question)).bind(run).fetch_all(&fleet.analytics).await?;
    Ok(rows.into_iter().map(|(id, key, seq)| Row { id, key, seq }).collect())
}

async fn windows(fleet: &Fleet, run: &str) -> anyhow::Result<Vec<Window>> {
    let question = "SELECT key, (extract(epoch FROM window_start) * 1000)::bigint, n FROM event_counts WHERE starts_with(key, $1)";
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as(question).bind(run).fetch_all(&fleet.analytics).await?;
    Ok(rows.into_iter().map(|(key, start, n)| Window { key, start, n }).collect())
}
