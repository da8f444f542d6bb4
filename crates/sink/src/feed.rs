//! A topic as a channel of batches, read, decoded and made ready by a thread of its own: librdkafka's reader blocks, and while the
//! store writes, the next batch is made.

use crate::{
    Places, Table,
    batch::{Batch, Gathered},
    decode::Decoder,
};
use kafka::{Cluster, KafkaError, Polled, Reader, Start};
use registry::RegistryError;
use service::{Break, Guards};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::mpsc};
use uuid::Uuid;
use wire::passed::Offsets;

/// What the thread hands over.
pub enum Fed<B> {
    Batch(Batch<B>),
    /// The feed has ended: a record needs the registry, which is away.
    Ended(RegistryError),
}

/// A running feed. Dropping it ends the thread.
pub struct Feed<B> {
    pub fed: mpsc::Receiver<Fed<B>>,
    pub group: Group,
    guards: Guards,
}

/// Where the consumer group keeps how far it is.
pub struct Group {
    reader: Arc<Reader>,
    topic: String,
}

/// What a feed reads, and for whom.
pub struct Source<'a, T> {
    pub cluster: &'a Cluster,
    pub topic: &'a str,
    pub topic_id: Uuid,
    pub group: &'a str,
    pub decoder: Decoder,
    pub table: Arc<T>,
    pub batch_records_max: usize,
}

/// Batches that wait to be written. More would only be memory: the reader has a queue of its own.
const WAITING_MAX: usize = 1;
const POLL: Duration = Duration::from_millis(100);

impl<B: Send + 'static> Feed<B> {
    /// Starts to read where `places` say, else where the group was, else at the beginning.
    pub async fn start<T: Table<Batch = B>>(
        source: Source<'_, T>,
        places: Option<Offsets>,
        guards: Guards,
    ) -> Result<Self, KafkaError> {
        let Source { cluster, topic, group, .. } = source;
        let partitions = cluster.topic(topic).await?.partitions;
        let begin = match places.clone() {
            Some(places) => places,
            None => cluster.committed(group).await?.remove(topic).unwrap_or_default(),
        };
        let reader = Arc::new(Reader::new(cluster.bootstrap(), group)?);
        let start = |id: i32| begin.0.get(&id).map_or(Start::Beginning, |next| Start::At(*next));
        let assigned: Vec<_> = partitions
            .iter()
            .map(|partition| (topic.to_owned(), partition.id, start(partition.id)))
            .collect();
        reader.assign(&assigned)?;
        let (sender, fed) = mpsc::channel(WAITING_MAX);
        let group = Group { reader: reader.clone(), topic: topic.to_owned() };
        let feeder = Feeder {
            reader,
            decoder: source.decoder,
            table: source.table,
            topic_id: source.topic_id,
            batch_records_max: source.batch_records_max,
            next: places.unwrap_or_default(),
            runtime: Handle::current(),
        };
        std::thread::spawn(move || feeder.feed(&sender));
        Ok(Self { fed, group, guards })
    }
}

impl Group {
    /// Keeps how far the group is.
    pub async fn commit(&self, next: &Offsets) -> Result<(), KafkaError> {
        let (reader, topic) = (self.reader.clone(), self.topic.clone());
        let offsets: Vec<_> =
            next.0.iter().map(|(partition, offset)| (topic.clone(), *partition, *offset)).collect();
        let committing = tokio::task::spawn_blocking(move || reader.commit(&offsets));
        committing.await.unwrap_or_else(|cause| {
            Err(KafkaError::Refused { what: "to commit offsets".into(), cause: cause.to_string() })
        })
    }
}

impl<B> Drop for Feed<B> {
    /// Commits nothing: what was read is not written yet. Without that guard it does what a client does that commits by itself.
    fn drop(&mut self) {
        if self.guards.lack(Break::NoFlushOnStop)
            && let Err(cause) = self.group.reader.commit_read()
        {
            tracing::warn!("{cause}");
        }
    }
}

/// What the thread has.
struct Feeder<T> {
    reader: Arc<Reader>,
    decoder: Decoder,
    table: Arc<T>,
    topic_id: Uuid,
    batch_records_max: usize,
    /// Next to read, of what was read so far.
    next: Offsets,
    runtime: Handle,
}

impl<T: Table> Feeder<T> {
    fn feed(mut self, sender: &mpsc::Sender<Fed<T::Batch>>) {
        while !sender.is_closed() {
            let (fed, last) = match self.batch() {
                Ok(None) => continue,
                Ok(Some(batch)) => (Fed::Batch(batch), false),
                Err(cause) => (Fed::Ended(cause), true),
            };
            if sender.blocking_send(fed).is_err() || last {
                return;
            }
        }
    }

    /// Waits for the first record, then takes what else is there, as much as one batch may have.
    fn batch(&mut self) -> Result<Option<Batch<T::Batch>>, RegistryError> {
        let (before, mut gathered) = (self.next.clone(), Gathered::default());
        while !gathered.is_full(self.batch_records_max) {
            let pause = if gathered.is_empty() { POLL } else { Duration::ZERO };
            match self.reader.poll(pause) {
                Ok(Polled::Record(record)) => {
                    self.next.include(record.partition, record.offset);
                    let row = self.decoder.row(&record, &self.runtime)?;
                    gathered.add(record, row);
                }
                Ok(Polled::End { .. }) => {}
                Ok(Polled::Nothing) => {
                    if gathered.is_empty() {
                        self.include_ends();
                    }
                    break;
                }
                Err(cause) => {
                    tracing::warn!("{cause}");
                    break;
                }
            }
        }
        if gathered.is_empty() && self.next == before {
            return Ok(None);
        }
        let places = Places { topic_id: self.topic_id, next: self.next.clone() };
        Ok(Some(gathered.ready(&*self.table, places)))
    }

    /// Nothing came for a moment: every partition is read up to its end, transaction markers included.
    fn include_ends(&mut self) {
        for (_, partition, end) in self.reader.ends() {
            self.next.include(partition, end - 1);
        }
    }
}
