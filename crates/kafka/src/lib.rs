//! Kafka, as the rest of Millrace needs it. The only crate that knows librdkafka.
//!
//! [`Sender`] writes and says per record when it is durable; [`Transactional`] writes outputs and input offsets in one
//! transaction; [`Batches`] reads partitions whole batches at a time, [`Reader`] record by record, both without a consumer group's
//! rebalancing; [`Group`] and [`Committer`] keep how far they are; [`Cluster`] answers questions about brokers, topics, offsets and groups;
//! [`topics::ensure`] makes topics.

mod batches;
pub mod cluster;
mod committer;
mod connection;
mod group;
mod reader;
mod sender;
pub mod topics;
mod transactional;

pub use batches::{Batches, Part};
pub use cluster::Cluster;
pub use committer::Committer;
pub use group::{Committed, Group};
pub use reader::{Polled, Reader, Start};
pub use sender::{LateSender, Lent, Outgoing, Place, SendError, Sender};
pub use topics::TopicSpec;
pub use transactional::{Progress, TransactionError, Transactional, fence};

use bytes::Bytes;
use rdkafka::ClientConfig;
use std::{borrow::Cow, sync::Arc, time::Duration};

/// A record as it was read.
#[derive(Clone, Debug)]
pub struct Record {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970, as the broker keeps it.
    pub timestamp_ms: i64,
    pub key: Option<Bytes>,
    pub payload: Option<Bytes>,
    pub headers: Vec<(Cow<'static, str>, Bytes)>,
}

impl Record {
    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        std::str::from_utf8(value).ok()
    }
}

/// The header that carries a record's id from the source to the row.
pub const RECORD_ID: &str = "record-id";

/// Why Kafka could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    #[error("Kafka at {bootstrap} did not answer: {cause}. Is the broker running?")]
    Unreachable { bootstrap: String, cause: String },
    #[error("Kafka refused {what}: {cause}")]
    Refused { what: String, cause: String },
    #[error(
        "Kafka has no coordinator for group {group} yet: {cause}. It has one soon after a broker's start"
    )]
    NoCoordinator { group: String, cause: String },
    #[error("topic {topic} does not exist")]
    NoTopic { topic: String },
    #[error(
        "topic {topic} has {found} partitions, the pipeline declares {declared}. The partition count of a keyed stream is fixed: \
         declare {found}, or copy the stream to a new topic"
    )]
    Partitions { topic: String, found: usize, declared: usize },
}

/// One question to a broker takes no longer.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The largest record that we send. A broker takes 1 MiB where a topic says nothing; only topics of dead letters say more.
const RECORD_BYTES_MAX: usize = 2 << 20;

/// What all clients share.
fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("client.id", "millrace")
        .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
        .set("socket.timeout.ms", "10000")
        // A restarted broker should be found again soon.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.nagle.disable", "true");
    config
}
