//! Reading partitions that the caller names. Blocking: it belongs to a thread of its own.

use crate::{ANSWER_MAX, KafkaError, RECORD_ID, Record, client};
use bytes::Bytes;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError as Cause, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
    topic_partition_list::TopicPartitionListElem,
};
use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Reads committed records of assigned partitions, for a look at some of them. It keeps no offsets.
pub struct Reader {
    consumer: BaseConsumer,
    /// Names that were met: a record's is one of these, and not made anew.
    topics: Mutex<Vec<Arc<str>>>,
    /// Whether the last word from Kafka was an error that passes.
    troubled: AtomicBool,
}

/// Where to begin in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Beginning,
    At(i64),
    End,
}

/// What one poll found.
#[derive(Debug)]
pub enum Polled {
    Record(Record),
    /// All records of the partition so far were read.
    End {
        topic: Arc<str>,
        partition: i32,
    },
    Nothing,
}

impl Reader {
    pub fn new(bootstrap: &str) -> Result<Self, KafkaError> {
        Self::with(bootstrap, &settings(bootstrap))
    }

    /// Makes a reader for a look at a few records: it fetches little ahead.
    pub fn peek(bootstrap: &str) -> Result<Self, KafkaError> {
        let mut settings = settings(bootstrap);
        settings
            .set("fetch.message.max.bytes", "262144")
            .set("queued.min.messages", "1000")
            .set("queued.max.messages.kbytes", "4096");
        Self::with(bootstrap, &settings)
    }

    fn with(bootstrap: &str, settings: &ClientConfig) -> Result<Self, KafkaError> {
        let unreachable = |cause: Cause| KafkaError::Unreachable {
            bootstrap: bootstrap.to_owned(),
            cause: cause.to_string(),
        };
        let consumer = settings.create().map_err(unreachable)?;
        Ok(Self { consumer, topics: Mutex::default(), troubled: AtomicBool::new(false) })
    }

    /// The place of a topic's first record, per partition, whose time is at or after `since_ms` (milliseconds since 1970); the end
    /// where there is none.
    pub fn places_since(
        &self,
        topic: &str,
        partitions: i32,
        since_ms: i64,
    ) -> Result<Vec<(String, i32, Start)>, KafkaError> {
        let mut asked = TopicPartitionList::new();
        for partition in 0..partitions {
            asked
                .add_partition_offset(topic, partition, Offset::Offset(since_ms))
                .map_err(|cause| refused("a time", &cause))?;
        }
        let found = self
            .consumer
            .offsets_for_times(asked, ANSWER_MAX)
            .map_err(|cause| refused("to tell offsets of a time", &cause))?;
        let place = |found: &TopicPartitionListElem<'_>| {
            let start = match found.offset() {
                Offset::Offset(offset) => Start::At(offset),
                _ => Start::End,
            };
            (topic.to_owned(), found.partition(), start)
        };
        Ok(found.elements().iter().map(place).collect())
    }

    /// Reads exactly these partitions from now on.
    pub fn assign(&self, places: &[(String, i32, Start)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(places.len());
        for (topic, partition, start) in places {
            let offset = match start {
                Start::Beginning => Offset::Beginning,
                Start::At(offset) => Offset::Offset(*offset),
                Start::End => Offset::End,
            };
            list.add_partition_offset(topic, *partition, offset)
                .map_err(|cause| refused("to assign", &cause))?;
        }
        self.consumer.assign(&list).map_err(|cause| refused("to assign", &cause))
    }

    /// Waits up to `timeout` for the next record or end.
    pub fn poll(&self, timeout: Duration) -> Result<Polled, KafkaError> {
        match self.consumer.poll(timeout) {
            None => Ok(Polled::Nothing),
            Some(Ok(message)) => {
                self.troubled.store(false, Ordering::Relaxed);
                Ok(Polled::Record(self.record(&message)))
            }
            Some(Err(Cause::PartitionEOF(partition))) => Ok(self.end_of(partition)),
            Some(Err(cause)) if passes(&cause) => {
                // While a broker is away the library says so many times a second.
                if !self.troubled.swap(true, Ordering::Relaxed) {
                    tracing::warn!("reading from Kafka: {cause}; it is tried again until it answers");
                }
                Ok(Polled::Nothing)
            }
            Some(Err(cause)) => Err(refused("to read", &cause)),
        }
    }

    /// librdkafka does not say which topic has ended, so a partition number alone is not enough with several topics.
    fn end_of(&self, partition: i32) -> Polled {
        let assigned = self.consumer.assignment().unwrap_or_default();
        let topic = assigned
            .elements()
            .iter()
            .find(|place| place.partition() == partition)
            .map(|place| self.name(place.topic()));
        topic.map_or(Polled::Nothing, |topic| Polled::End { topic, partition })
    }

    fn record(&self, message: &BorrowedMessage<'_>) -> Record {
        Record {
            topic: self.name(message.topic()),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
            key: message.key().map(Bytes::copy_from_slice),
            payload: message.payload().map(Bytes::copy_from_slice),
            headers: message.headers().map_or_else(Vec::new, |headers| {
                let value = |bytes: Option<&[u8]>| Bytes::copy_from_slice(bytes.unwrap_or_default());
                headers.iter().map(|header| (header_name(header.key), value(header.value))).collect()
            }),
        }
    }

    fn name(&self, topic: &str) -> Arc<str> {
        let mut names = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.iter().find(|name| &***name == topic) {
            return name.clone();
        }
        let name: Arc<str> = topic.into();
        names.push(name.clone());
        name
    }
}

/// Nearly all records have but this one.
pub(crate) fn header_name(name: &str) -> Cow<'static, str> {
    if name == RECORD_ID { Cow::Borrowed(RECORD_ID) } else { Cow::Owned(name.to_owned()) }
}

fn settings(bootstrap: &str) -> ClientConfig {
    let mut settings = client(bootstrap);
    settings
        // Nothing is kept under it, but the library wants one.
        .set("group.id", "millrace.look")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        // A partition whose start has been deleted goes on with the oldest record that is there.
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        // Small records crawl with the default.
        .set("fetch.queue.backoff.ms", "2")
        .set("fetch.wait.max.ms", "100")
        .set("queued.min.messages", "100000")
        .set("queued.max.messages.kbytes", "16384");
    settings
}

pub(crate) fn refused(what: &str, cause: &Cause) -> KafkaError {
    KafkaError::Refused { what: what.to_owned(), cause: cause.to_string() }
}

/// Errors that librdkafka mends by itself.
fn passes(cause: &Cause) -> bool {
    use RDKafkaErrorCode::*;
    matches!(
        cause.rdkafka_error_code(),
        Some(
            BrokerTransportFailure
                | AllBrokersDown
                | OperationTimedOut
                | Resolve
                | NotLeaderForPartition
                | LeaderNotAvailable
                | NetworkException
                | CoordinatorNotAvailable
                | NotCoordinator
                | CoordinatorLoadInProgress
                | RequestTimedOut
        )
    )
}
