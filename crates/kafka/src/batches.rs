//! Reading partitions whole batches at a time, in Kafka's own protocol.
//!
//! librdkafka hands over record by record, each through a queue of its own, which takes a microsecond. Here a leader is asked for all
//! that it has of its partitions, and what it sends is cut into records at once (protocol: <https://kafka.apache.org/protocol>, record
//! batches of format 2). Only committed records are read, and a place is behind the markers that follow a record.

mod decode;
mod leader;
mod unpack;

use crate::{Cluster, KafkaError, Record};
use leader::{Cause, Ended, Place, follow};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, error::TryRecvError},
    task::{JoinError, JoinHandle, JoinSet},
    time::timeout,
};

/// Reads committed records of the partitions it is given, in batches. Dropping it ends the reading.
pub struct Batches {
    parts: mpsc::Receiver<Result<Part, KafkaError>>,
    /// What was more than was asked for.
    rest: Option<Part>,
    runtime: Handle,
    reading: JoinHandle<()>,
}

/// Records of one partition, in order, with nothing left out between them that could be read.
#[derive(Debug)]
pub struct Part {
    pub partition: i32,
    pub records: Vec<Record>,
    /// The offset that is next to read: behind the last record, and behind markers and aborted records that follow it.
    pub next: i64,
    /// Whether that is the partition's end as a reader of committed records sees it.
    pub end: bool,
}

/// Parts that wait. Each is at most [`leader::PART_BYTES_MAX`] as it was sent, or one batch.
const WAITING_MAX: usize = 4;

impl Batches {
    /// Starts to read partitions of `topic`, each at an offset, on a runtime's threads.
    pub fn start(cluster: &Cluster, topic: &str, places: &[(i32, i64)], runtime: &Handle) -> Self {
        let place = |(partition, next): &(i32, i64)| Place { partition: *partition, next: *next, end: false };
        let places = places.iter().map(place).collect();
        let (sender, parts) = mpsc::channel(WAITING_MAX);
        let reading = runtime.spawn(read(cluster.clone(), topic.into(), places, sender));
        Self { parts, rest: None, runtime: runtime.clone(), reading }
    }

    /// Waits up to `wait` for what comes next, of which at most `max` records are handed out. Blocking: for a thread of its own.
    pub fn next(&mut self, max: usize, wait: Duration) -> Result<Option<Part>, KafkaError> {
        let Some(mut part) = self.rest.take().map(Ok).or_else(|| self.receive(wait)).transpose()? else {
            return Ok(None);
        };
        self.rest = part.split_off(max);
        Ok(Some(part))
    }

    fn receive(&mut self, wait: Duration) -> Option<Result<Part, KafkaError>> {
        match self.parts.try_recv() {
            Ok(part) => Some(part),
            Err(TryRecvError::Empty) if wait.is_zero() => None,
            Err(TryRecvError::Empty) => self.runtime.block_on(timeout_of(wait, &mut self.parts)),
            Err(TryRecvError::Disconnected) => Some(Err(ended())),
        }
    }
}

async fn timeout_of(
    wait: Duration,
    parts: &mut mpsc::Receiver<Result<Part, KafkaError>>,
) -> Option<Result<Part, KafkaError>> {
    timeout(wait, parts.recv()).await.ok().map(|part| part.unwrap_or_else(|| Err(ended())))
}

fn ended() -> KafkaError {
    broken("the reader has ended")
}

fn broken(cause: &str) -> KafkaError {
    KafkaError::Refused { what: "to read on".into(), cause: cause.to_owned() }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Part {
    /// Keeps `max` records; the answer is what was more.
    fn split_off(&mut self, max: usize) -> Option<Part> {
        if self.records.len() <= max {
            return None;
        }
        let records = self.records.split_off(max);
        let rest = Part { partition: self.partition, records, next: self.next, end: self.end };
        self.next = rest.records[0].offset;
        self.end = false;
        Some(rest)
    }
}

type Parts = mpsc::Sender<Result<Part, KafkaError>>;

/// Between two looks for leaders, after the first and after many failures.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Follows each partition at its leader, and looks for the leader again when that ends.
async fn read(cluster: Cluster, topic: Arc<str>, places: Vec<Place>, parts: Parts) {
    let mut reading =
        Reading { cluster, topic, parts, homeless: places, following: JoinSet::new(), failed: 0 };
    if let Err(cause) = reading.go().await {
        // Nobody is left to be told where this fails.
        let _ = reading.parts.send(Err(cause)).await;
    }
}

struct Reading {
    cluster: Cluster,
    topic: Arc<str>,
    parts: Parts,
    homeless: Vec<Place>,
    following: JoinSet<Ended>,
    /// Failures since a leader has answered.
    failed: u32,
}

impl Reading {
    async fn go(&mut self) -> Result<(), KafkaError> {
        loop {
            self.settle().await?;
            if self.homeless.is_empty() {
                tokio::select! {
                    Some(ended) = self.following.join_next() => self.lost(ended)?,
                    () = self.parts.closed() => return Ok(()),
                }
            }
            let pause = PAUSE * 2_u32.saturating_pow(self.failed.saturating_sub(1).min(8));
            tokio::time::sleep(pause.min(PAUSE_MAX)).await;
            while let Some(ended) = self.following.try_join_next() {
                self.lost(ended)?;
            }
        }
    }

    fn lost(&mut self, ended: Result<Ended, JoinError>) -> Result<(), KafkaError> {
        let Ended { address, places, cause, read } = ended.map_err(|cause| broken(&cause.to_string()))?;
        self.homeless.extend(places);
        self.failed = if read { 1 } else { self.failed + 1 };
        match cause {
            Cause::Broken(cause) => return Err(cause),
            Cause::Away(cause) if self.failed == 1 => {
                tracing::warn!(
                    "reading {} at {address}: {cause}; it is tried again until it answers",
                    self.topic
                );
            }
            // What is unwanted ends with whoever wanted it.
            Cause::Away(_) | Cause::Unwanted => {}
        }
        Ok(())
    }

    /// Begins to follow what has a leader. What has none, or whose leader can't be told, waits.
    async fn settle(&mut self) -> Result<(), KafkaError> {
        if self.homeless.is_empty() {
            return Ok(());
        }
        let leaders = match self.cluster.leaders(&self.topic).await {
            Ok(leaders) => leaders,
            Err(KafkaError::Unreachable { .. }) => {
                self.failed += 1;
                return Ok(());
            }
            Err(cause) => return Err(cause),
        };
        let mut by_leader = BTreeMap::<String, Vec<Place>>::new();
        for place in std::mem::take(&mut self.homeless) {
            match leaders.get(&place.partition) {
                Some(address) => by_leader.entry(address.clone()).or_default().push(place),
                None => self.homeless.push(place),
            }
        }
        self.failed += u32::from(!self.homeless.is_empty());
        for (address, places) in by_leader {
            self.following.spawn(follow(
                self.cluster.clone(),
                self.topic.clone(),
                address,
                places,
                self.parts.clone(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(offsets: &[i64], next: i64) -> Part {
        let record = |offset: &i64| Record {
            topic: "users".into(),
            partition: 3,
            offset: *offset,
            timestamp_ms: 0,
            key: None,
            payload: None,
            headers: vec![],
        };
        Part { partition: 3, records: offsets.iter().map(record).collect(), next, end: true }
    }

    #[test]
    fn a_part_that_is_more_than_was_asked_for_goes_on_where_it_was_cut() {
        let mut first = part(&[10, 12, 13], 15);
        let rest = first.split_off(2).unwrap();
        assert_eq!((first.records.len(), first.next, first.end), (2, 13, false));
        assert_eq!((rest.records.len(), rest.next, rest.end), (1, 15, true));
        assert!(part(&[10, 12, 13], 15).split_off(3).is_none());
    }
}
