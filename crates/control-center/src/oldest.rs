//! When the oldest unread records were written: lag in time, not only in records.

use crate::picture::Picture;
use chrono::{DateTime, Utc};
use kafka::{KafkaError, Polled, Reader, Start};
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// What was found out by looking at the records.
#[derive(Debug, Default)]
pub struct Oldest(HashMap<Spot, Look>);

/// A topic, a partition, and the offset that a group reads next.
type Spot = (String, i32, i64);

/// A spot, and when its record was written where one came in time.
type Looked = (Spot, Option<DateTime<Utc>>);

#[derive(Debug)]
struct Look {
    /// Absent where no record was found in time, as where only transaction markers follow.
    written_at: Option<DateTime<Utc>>,
    looked_at: Instant,
}

/// Looks per survey: each makes the broker read a batch of records.
const LOOKS_MAX: usize = 16;
/// All looks of a survey together.
const LOOK_MAX: Duration = Duration::from_secs(1);
/// Where no record was found, it is worth another look after this.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl Oldest {
    /// When the record at this offset, or the next one after it, was written.
    pub fn written_at(&self, topic: &str, partition: i32, offset: i64) -> Option<DateTime<Utc>> {
        self.0.get(&(topic.to_owned(), partition, offset))?.written_at
    }

    /// Looks at the records that groups of `picture` read next and that were not looked at yet, the largest lag first.
    pub async fn look(&mut self, bootstrap: &str, picture: &Picture) -> Result<(), KafkaError> {
        let spots = unread(picture);
        self.0.retain(|spot, look| {
            spots.contains(spot) && (look.written_at.is_some() || look.looked_at.elapsed() < LOOK_AGAIN)
        });
        let chosen = choose(spots.into_iter().filter(|spot| !self.0.contains_key(spot)));
        if chosen.is_empty() {
            return Ok(());
        }
        let bootstrap = bootstrap.to_owned();
        let read = tokio::task::spawn_blocking(move || read(&bootstrap, chosen)).await;
        let found = read.map_err(|cause| KafkaError::Refused {
            what: "a look at unread records".into(),
            cause: cause.to_string(),
        })??;
        let looked_at = Instant::now();
        self.0.extend(found.into_iter().map(|(spot, written_at)| (spot, Look { written_at, looked_at })));
        Ok(())
    }
}

/// Where groups have something to read, the largest lag first.
fn unread(picture: &Picture) -> Vec<Spot> {
    let mut spots = vec![];
    for (topic, place) in picture.groups.iter().flat_map(|group| {
        group.topics.iter().flat_map(|(topic, places)| places.iter().map(move |place| (topic, place)))
    }) {
        if let (Some(end), Some(lag @ 1..)) = (place.end, place.lag) {
            spots.push((lag, (topic.clone(), place.partition, end.saturating_sub_unsigned(lag))));
        }
    }
    spots.sort_by_key(|(lag, _)| std::cmp::Reverse(*lag));
    spots.into_iter().map(|(_, spot)| spot).collect()
}

/// At most [`LOOKS_MAX`], and one per partition: a reader is in one place of a partition at a time.
fn choose(spots: impl Iterator<Item = Spot>) -> Vec<Spot> {
    let mut taken = HashSet::new();
    spots.filter(|(topic, partition, _)| taken.insert((topic.clone(), *partition))).take(LOOKS_MAX).collect()
}

/// Blocking. Answers for each spot, with nothing where no record came in time.
fn read(bootstrap: &str, spots: Vec<Spot>) -> Result<Vec<Looked>, KafkaError> {
    let reader = Reader::peek(bootstrap)?;
    let place = |(topic, partition, offset): &Spot| (topic.clone(), *partition, Start::At(*offset));
    reader.assign(&spots.iter().map(place).collect::<Vec<_>>())?;
    let mut found: HashMap<(String, i32), DateTime<Utc>> = HashMap::new();
    let started = Instant::now();
    while let Some(left) = LOOK_MAX.checked_sub(started.elapsed()).filter(|_| found.len() < spots.len()) {
        if let Polled::Record(record) = reader.poll(left)?
            && let Some(written_at) = DateTime::from_timestamp_millis(record.timestamp_ms)
        {
            found.entry((record.topic.to_string(), record.partition)).or_insert(written_at);
        }
    }
    let answer = |spot: Spot| {
        let written_at = found.get(&(spot.0.clone(), spot.1)).copied();
        (spot, written_at)
    };
    Ok(spots.into_iter().map(answer).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_bounded_and_one_per_partition() {
        let spot = |partition: i32, offset: i64| ("users".to_owned(), partition, offset);
        assert_eq!(choose([spot(0, 7), spot(0, 3), spot(1, 5)].into_iter()), [spot(0, 7), spot(1, 5)]);
        assert_eq!(choose((0..99).map(|partition| spot(partition, 0))).len(), LOOKS_MAX);
    }
}
