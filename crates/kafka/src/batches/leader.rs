//! One leader, asked again and again for what comes next in its partitions.

use super::{
    Part, Parts,
    decode::{Sent, decode},
};
use crate::{
    Cluster, KafkaError,
    cluster::{End, check},
    connection::Connection,
};
use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, FetchRequest, TopicName,
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::{FetchResponse, PartitionData},
    },
    protocol::StrBytes,
};
use std::sync::Arc;

/// Where reading of a partition is.
pub struct Place {
    pub partition: i32,
    pub next: i64,
    /// Whether that is known to be the end, and was told.
    pub end: bool,
}

/// What became of following a leader.
pub struct Ended {
    pub address: String,
    pub places: Vec<Place>,
    pub cause: Cause,
    /// Whether it had answered before.
    pub read: bool,
}

pub enum Cause {
    /// Nobody takes what is read.
    Unwanted,
    /// The leader is away, or leads no more: to be looked for again.
    Away(String),
    /// Trying again can't help.
    Broken(KafkaError),
}

impl From<KafkaError> for Cause {
    fn from(cause: KafkaError) -> Self {
        Cause::Away(cause.to_string())
    }
}

/// Of one partition in one answer. A batch that is larger comes whole when its partition is the first.
pub const PART_BYTES_MAX: i32 = 1 << 20;
/// One answer: of four partitions as much as there may be.
const ANSWER_BYTES_MAX: i32 = 4 << 20;
/// The broker answers by then, where nothing comes.
const WAIT_MS: i32 = 100;
/// What is refused, where something is.
const REQUEST: &str = "to be read from";
/// Topics by name (later ones name them by id), and zstd.
const VERSION: i16 = 12;

pub async fn follow(
    cluster: Cluster,
    topic: Arc<str>,
    address: String,
    places: Vec<Place>,
    parts: Parts,
) -> Ended {
    let mut leader = Leader { cluster, topic, places, parts, read: false };
    let cause = match Connection::open(&address).await {
        Ok(connection) => leader.go(connection).await,
        Err(cause) => cause.into(),
    };
    let Leader { places, read, .. } = leader;
    Ended { address, places, cause, read }
}

struct Leader {
    cluster: Cluster,
    topic: Arc<str>,
    places: Vec<Place>,
    parts: Parts,
    read: bool,
}

impl Leader {
    async fn go(&mut self, mut connection: Connection) -> Cause {
        loop {
            // Another one is first each time: what is first may take all the room.
            self.places.rotate_left(1);
            let answer = match connection.ask(VERSION, &request(&self.topic, &self.places)).await {
                Ok(answer) => answer,
                Err(cause) => return cause.into(),
            };
            if let Err(cause) = self.take(answer).await {
                return cause;
            }
        }
    }

    async fn take(&mut self, answer: FetchResponse) -> Result<(), Cause> {
        check(REQUEST, answer.error_code)?;
        for found in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            let Some(at) = self.places.iter().position(|place| place.partition == found.partition_index)
            else {
                continue;
            };
            if found.error_code == ResponseError::OffsetOutOfRange.code() {
                self.go_to_the_oldest(at).await?;
                continue;
            }
            check(REQUEST, found.error_code)?;
            self.read = true;
            self.hand_over(at, found).await?;
        }
        Ok(())
    }

    async fn hand_over(&mut self, at: usize, found: PartitionData) -> Result<(), Cause> {
        let place = &mut self.places[at];
        let stable = found.last_stable_offset;
        let mut part = part(&self.topic, place, found).map_err(Cause::Broken)?;
        part.end = part.next >= stable;
        let (next, end) = (part.next, part.end);
        if (next, end) != (place.next, place.end) {
            self.parts.send(Ok(part)).await.map_err(|_| Cause::Unwanted)?;
            // Only now: who is cut off while it waits has handed over nothing.
            (place.next, place.end) = (next, end);
        }
        Ok(())
    }

    /// What was next to read has been deleted.
    async fn go_to_the_oldest(&mut self, at: usize) -> Result<(), Cause> {
        let place = &mut self.places[at];
        let first = self.cluster.ends(&self.topic, End::First).await?;
        let Some(oldest) = first.0.get(&place.partition).copied() else {
            return Err(Cause::Away("the oldest offset was not told".into()));
        };
        tracing::warn!(
            "{}/{} does not reach to {}: it is read on from its oldest record, {oldest}",
            self.topic,
            place.partition,
            place.next
        );
        place.next = oldest;
        Ok(())
    }
}

fn part(topic: &Arc<str>, place: &Place, found: PartitionData) -> Result<Part, KafkaError> {
    let aborted = found.aborted_transactions.unwrap_or_default();
    let sent = Sent {
        topic: topic.clone(),
        partition: place.partition,
        bytes: found.records.unwrap_or_default(),
        aborted: aborted.iter().map(|aborted| (aborted.first_offset, aborted.producer_id.0)).collect(),
    };
    decode(sent, place.next)
}

fn request(topic: &str, places: &[Place]) -> FetchRequest {
    let partition = |place: &Place| {
        FetchPartition::default()
            .with_partition(place.partition)
            .with_current_leader_epoch(-1)
            .with_last_fetched_epoch(-1)
            .with_fetch_offset(place.next)
            .with_partition_max_bytes(PART_BYTES_MAX)
    };
    let topic = FetchTopic::default()
        .with_topic(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partitions(places.iter().map(partition).collect());
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(WAIT_MS)
        .with_min_bytes(1)
        .with_max_bytes(ANSWER_BYTES_MAX)
        .with_isolation_level(READ_COMMITTED)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

const READ_COMMITTED: i8 = 1;
