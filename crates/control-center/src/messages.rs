//! Messages of a topic: which are asked for, reading them, and making them readable.

mod asked;
mod decode;
mod read;

pub use asked::{Asked, LIMIT, Place, Window};
pub use decode::{Content, Message, Shown};

use decode::Codecs;
use futures::{StreamExt, stream};
use kafka::{Cluster, KafkaError, Record, cluster::End};
use registry::Registry;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::timeout};
use wire::{avro::Codec, passed::Offsets};

/// Reads messages for people.
#[derive(Clone)]
pub struct Browser {
    cluster: Cluster,
    registry: Registry,
    messages_max: usize,
    at_once: Arc<Semaphore>,
}

/// What was found, the newest first.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    pub topic: String,
    pub messages: Vec<Message>,
    /// The oldest offsets that are kept, and the ends.
    pub first: Offsets,
    pub end: Offsets,
    /// Partitions that were not read to the end of what was asked for.
    pub unfinished: Vec<i32>,
    /// Where to go on in the partition that was asked for: `before` this offset.
    pub older: Option<i64>,
    /// Where to go on in the partition that was asked for: from this `offset`.
    pub newer: Option<i64>,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum BrowseError {
    #[error("{0}")]
    Asked(String),
    #[error("{READS_AT_ONCE} others are reading messages at this moment: try again")]
    Busy,
    #[error("Kafka did not answer within {ANSWER_MAX:?}")]
    Late,
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

/// Each reads up to [`read::BYTES_MAX`] into memory.
const READS_AT_ONCE: usize = 4;
/// Somebody is waiting for the page: what was read by then is shown.
pub const ANSWER_MAX: Duration = Duration::from_secs(3);
/// More different schemas than this on one page come from payloads that are not Avro at all.
const SCHEMAS_MAX: usize = 16;

impl Browser {
    pub fn new(bootstrap: &str, registry: Registry, messages_max: usize) -> Self {
        let at_once = Arc::new(Semaphore::new(READS_AT_ONCE));
        Self { cluster: Cluster::new(bootstrap), registry, messages_max, at_once }
    }

    pub fn messages_max(&self) -> usize {
        self.messages_max
    }

    /// Reads what is asked for. `is_avro` says that the topic has a schema, so that other payloads are told as wrong.
    pub async fn browse(&self, topic: &str, asked: &Asked, is_avro: bool) -> Result<Found, BrowseError> {
        let _place = self.at_once.try_acquire().map_err(|_| BrowseError::Busy)?;
        let until = Instant::now() + ANSWER_MAX;
        let ends = async {
            tokio::try_join!(self.cluster.ends(topic, End::First), self.cluster.ends(topic, End::Stable))
        };
        let (first, end) = timeout(ANSWER_MAX, ends).await.map_err(|_| BrowseError::Late)??;
        let window = asked.window(self.messages_max, &first, &end).map_err(BrowseError::Asked)?;
        let (records, unfinished) = self.read(topic, window.clone(), until).await?;
        let codecs = self.codecs(&records).await;
        let messages: Vec<Message> =
            records.iter().map(|record| Message::of(record, &codecs, is_avro)).collect();
        let (older, newer) = window.next(&messages, &first, &end);
        Ok(Found { topic: topic.to_owned(), messages, first, end, unfinished, older, newer })
    }

    async fn read(
        &self,
        topic: &str,
        window: Window,
        until: Instant,
    ) -> Result<(Vec<Record>, Vec<i32>), KafkaError> {
        let (bootstrap, topic) = (self.cluster.bootstrap().to_owned(), topic.to_owned());
        let failed = |cause: tokio::task::JoinError| KafkaError::Refused {
            what: "to read".into(),
            cause: cause.to_string(),
        };
        tokio::task::spawn_blocking(move || read::read(&bootstrap, &topic, &window, until))
            .await
            .map_err(failed)?
    }

    /// What decodes these records, by schema id; for an id that can't be used, why.
    async fn codecs(&self, records: &[Record]) -> Codecs {
        let payloads = records.iter().flat_map(|record| [&record.key, &record.payload]).flatten();
        let ids: BTreeSet<u32> =
            payloads.filter_map(|payload| wire::frame::split(payload).ok()).map(|(id, _)| id).collect();
        let ask = |id: u32| async move { (id, self.codec(id).await) };
        stream::iter(ids.into_iter().take(SCHEMAS_MAX)).map(ask).buffer_unordered(SCHEMAS_MAX).collect().await
    }

    async fn codec(&self, id: u32) -> Result<Codec, String> {
        match timeout(ANSWER_MAX, self.registry.schema(id)).await {
            Err(_) => Err(format!("the registry did not tell schema {id} within {ANSWER_MAX:?}")),
            Ok(Err(cause)) => Err(cause.to_string()),
            Ok(Ok(schema)) => Codec::parse(&schema).map_err(|cause| format!("schema {id}: {cause}")),
        }
    }
}
