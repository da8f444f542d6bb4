//! Reading letters.

use crate::Letter;
use kafka::{Cluster, KafkaError, Polled, Reader, Record, Start, cluster::End};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// What was read of a topic.
#[derive(Debug, Default)]
pub struct Read {
    pub letters: Vec<Letter>,
    /// There are more than were asked for, or than could be read in time.
    pub more: bool,
}

/// Whoever asks is waiting.
const READ_MAX: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);
/// Of all letters that are read at once.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The letter at a place; `None` where there is none, or something else than a letter.
pub async fn at(
    bootstrap: &str,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Option<Letter>, KafkaError> {
    let ends = Cluster::new(bootstrap).ends(topic, End::Stable).await?.0;
    if !ends.get(&partition).is_some_and(|end| (0..*end).contains(&offset)) {
        return Ok(None);
    }
    let read = read(bootstrap, topic, BTreeMap::from([(partition, (offset, offset + 1))]), 1).await?;
    Ok(read.letters.into_iter().find(|letter| letter.offset == offset))
}

/// The first `most` letters that come, in the order of their places.
pub async fn all(bootstrap: &str, topic: &str, most: usize) -> Result<Read, KafkaError> {
    let cluster = Cluster::new(bootstrap);
    let (first, ends) = (cluster.ends(topic, End::First).await?.0, cluster.ends(topic, End::Stable).await?.0);
    let range = |(partition, end): (i32, i64)| {
        let from = first.get(&partition).copied().unwrap_or(0);
        (from < end).then_some((partition, (from, end)))
    };
    read(bootstrap, topic, ends.into_iter().filter_map(range).collect(), most).await
}

/// Offsets `from..to` of each partition.
type Ranges = BTreeMap<i32, (i64, i64)>;

async fn read(bootstrap: &str, topic: &str, ranges: Ranges, most: usize) -> Result<Read, KafkaError> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    let reading = tokio::task::spawn_blocking(move || read_now(&bootstrap, &topic, ranges, most));
    reading.await.unwrap_or_else(|cause| {
        Err(KafkaError::Refused { what: "to read dead letters".into(), cause: cause.to_string() })
    })
}

fn read_now(bootstrap: &str, topic: &str, mut ranges: Ranges, most: usize) -> Result<Read, KafkaError> {
    let mut read = Read::default();
    if ranges.is_empty() {
        return Ok(read);
    }
    let reader = Reader::peek(bootstrap)?;
    let place =
        |(partition, (from, _)): (&i32, &(i64, i64))| (topic.to_owned(), *partition, Start::At(*from));
    reader.assign(&ranges.iter().map(place).collect::<Vec<_>>())?;
    let (started, mut bytes) = (Instant::now(), 0);
    while !ranges.is_empty() {
        if started.elapsed() > READ_MAX || bytes > BYTES_MAX || read.letters.len() >= most {
            read.more = true;
            break;
        }
        match reader.poll(POLL)? {
            Polled::Record(record) => {
                bytes += record.payload.as_ref().map_or(0, |payload| payload.len());
                take(&mut ranges, &mut read.letters, &record);
            }
            Polled::End { partition, .. } => drop(ranges.remove(&partition)),
            Polled::Nothing => {}
        }
    }
    read.letters.sort_by_key(|letter| (letter.partition, letter.offset));
    Ok(read)
}

/// Keeps a record of a range, and ends the range with its last.
fn take(ranges: &mut Ranges, letters: &mut Vec<Letter>, record: &Record) {
    let Some((_, to)) = ranges.get(&record.partition).copied() else { return };
    if record.offset < to {
        letters.extend(Letter::of(record));
    }
    if record.offset + 1 >= to {
        ranges.remove(&record.partition);
    }
}
