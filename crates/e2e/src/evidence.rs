//! Reads topics and tables for the checker.

use crate::Outside;
use anyhow::{Context, bail};
use checker::{Event, Evidence, Message, Row, SCHEMA, Shape, Table, Window, console::Printed};
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
    pub async fn now(outside: &Outside) -> anyhow::Result<Self> {
        let mut marks = BTreeMap::new();
        for topic in TOPICS {
            // A topic that one broker knows may be new to the one that is to lead it.
            let is_led = || async { outside.cluster.ends(topic, End::Stable).await.is_ok() };
            let made = format!("the topic {topic} is made by its first writer, and led");
            outside.within(READ_MAX, &made, is_led).await?;
            marks.insert(topic, outside.cluster.ends(topic, End::Stable).await?);
        }
        Ok(Self(marks))
    }
}

/// Everything that belongs to a run.
pub async fn read(outside: &Outside, run: &str, from: &Marks, by: By) -> anyhow::Result<Evidence> {
    let read = |topic: &'static str| async move {
        let values = match by {
            By::Console => console(outside, topic).await?,
            By::Ours => values(outside, topic, &from.0[topic]).await?,
        };
        of_run(run, values)
    };
    let [input, clean, dead] = TOPICS.map(read);
    let (input, clean, dead) = tokio::try_join!(input, clean, dead)?;
    let tables = vec![
        Table {
            name: "events_by_id".into(),
            shape: Shape::Id,
            rows: in_cassandra(outside, run, "events_by_id", "id").await?,
        },
        Table {
            name: "events_by_key".into(),
            shape: Shape::Key,
            rows: in_cassandra(outside, run, "events_by_key", "key").await?,
        },
        Table {
            name: "event_rows".into(),
            shape: Shape::Id,
            rows: in_postgres(outside, run, "event_rows").await?,
        },
        Table {
            name: "newest_events".into(),
            shape: Shape::Key,
            rows: in_postgres(outside, run, "newest_events").await?,
        },
    ];
    let windows = Some(windows(outside, run).await?);
    let counted = Some(counted(outside, &input).await?);
    Ok(Evidence { input, clean, dead, tables, windows, counted, ..Evidence::default() })
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

/// A whole topic, as Kafka's own consumer prints it. It must have come to the end: it ends by itself when it is starved, so it gets
/// more time where there is something behind what it saw.
pub async fn console(outside: &Outside, topic: &str) -> anyhow::Result<Vec<Value>> {
    let console = outside.console()?;
    for silence in [10, 30, 60] {
        let printed = console.read(topic, Duration::from_secs(silence)).await?;
        // Markers take offsets, so that the end of a partition says nothing: what counts is whether a record lies behind the last one.
        if values(outside, topic, &behind(&printed)).await?.is_empty() {
            let record = |record: Printed| (record.partition, record.offset, record.value);
            return Ok(printed.into_iter().map(record).collect());
        }
    }
    bail!("Kafka's consumer did not see {topic} to its end: is the machine too busy?")
}

/// By partition, what comes after the last record that was printed.
fn behind(printed: &[Printed]) -> Offsets {
    let mut next = Offsets::default();
    for record in printed {
        let place = next.0.entry(record.partition).or_insert(0);
        *place = (*place).max(record.offset + 1);
    }
    next
}

/// A topic from some places to its end.
pub async fn values(outside: &Outside, topic: &str, from: &Offsets) -> anyhow::Result<Vec<Value>> {
    let partitions = outside.cluster.topic(topic).await?.partitions;
    let assigned: Vec<_> = partitions
        .iter()
        .map(|partition| {
            let start = from.0.get(&partition.id).map_or(Start::Beginning, |next| Start::At(*next));
            (topic.to_owned(), partition.id, start)
        })
        .collect();
    let (bootstrap, topic) = (outside.cluster.bootstrap().to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || {
        let reader = Reader::new(&bootstrap)?;
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
    outside: &Outside,
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
        rows.extend(ask(outside, &question).await?);
    }
    rows.retain(|row| row[0].as_str().is_some_and(|text| text.starts_with(prefix)));
    Ok(rows)
}

/// Asked again for a while: the server may have been killed just now, and the driver does not know yet that it is back.
async fn ask(outside: &Outside, question: &str) -> anyhow::Result<Vec<Vec<serde_json::Value>>> {
    let started = Instant::now();
    loop {
        match outside.cassandra.query(question).await {
            Ok(answer) => return Ok(answer.rows),
            Err(cause) if started.elapsed() > READ_MAX => return Err(cause.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn in_cassandra(outside: &Outside, run: &str, table: &str, key: &str) -> anyhow::Result<Vec<Row>> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let rows = rows_of(outside, run, table, "id, key, seq", key).await?;
    Ok(rows
        .iter()
        .map(|row| Row { id: text(&row[0]), key: text(&row[1]), seq: row[2].as_i64().unwrap_or(-1) })
        .collect())
}

async fn in_postgres(outside: &Outside, run: &str, table: &str) -> anyhow::Result<Vec<Row>> {
    let question = format!("SELECT id, key, seq FROM {table} WHERE starts_with(id, $1)");
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as(AssertSqlSafe(question)).bind(run).fetch_all(&outside.analytics).await?;
    Ok(rows.into_iter().map(|(id, key, seq)| Row { id, key, seq }).collect())
}

async fn windows(outside: &Outside, run: &str) -> anyhow::Result<Vec<Window>> {
    let question = "SELECT key, (extract(epoch FROM window_start) * 1000)::bigint, n FROM event_counts WHERE starts_with(key, $1)";
    let rows = sqlx::query_as(question).bind(run).fetch_all(&outside.analytics).await?;
    Ok(rows.into_iter().map(window).collect())
}

/// The input counted by plain SQL on PostgreSQL: what the counting job must have found.
async fn counted(outside: &Outside, input: &[Message]) -> anyhow::Result<Vec<Window>> {
    let question = "SELECT key, (extract(epoch FROM date_trunc('minute', to_timestamp(at / 1000.0))) * 1000)::bigint, count(*)
                    FROM unnest($1::text[], $2::bigint[]) AS event (key, at) GROUP BY 1, 2";
    let keys: Vec<&str> = input.iter().map(|message| message.event.key.as_str()).collect();
    let times: Vec<i64> = input.iter().map(|message| message.event.at).collect();
    let rows = sqlx::query_as(question).bind(keys).bind(times).fetch_all(&outside.analytics).await?;
    Ok(rows.into_iter().map(window).collect())
}

fn window((key, start, n): (String, i64, i64)) -> Window {
    Window { key, start, n }
}
