//! Records of a topic as a channel of rows, read and decoded by a thread of its own: librdkafka's reader blocks, and while the
//! store writes, the next rows are made.

use crate::batch::{Decoder, Judged};
use kafka::{Cluster, KafkaError, Polled, Reader, Start};
use registry::RegistryError;
use service::{Break, Guards};
use std::{sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::mpsc};
use wire::passed::Offsets;

/// What the thread hands over.
#[derive(Debug)]
pub enum Fed {
    Records(Vec<Judged>),
    /// Nothing came for a moment: every partition is read up to here, transaction markers included.
    Caught(Offsets),
    /// The feed has ended: a record needs the registry, which is away.
    Ended(RegistryError),
}

/// A running feed. Dropping it ends the thread.
pub struct Feed {
    pub fed: mpsc::Receiver<Fed>,
    reader: Arc<Reader>,
    topic: String,
    guards: Guards,
}

/// Parts that wait between the reader and the store. More would only be memory: the reader has a queue of its own.
const WAITING_MAX: usize = 8;
/// Records of one part: a few make a batch.
pub const PART_RECORDS_MAX: usize = 250;
const POLL: Duration = Duration::from_millis(100);

impl Feed {
    /// Starts to read `topic`. Begins where `places` say, else where the group was, else at the beginning.
    pub async fn start(
        cluster: &Cluster,
        topic: &str,
        group: &str,
        places: Option<Offsets>,
        decoder: Decoder,
        guards: Guards,
    ) -> Result<Self, KafkaError> {
        let partitions = cluster.topic(topic).await?.partitions;
        let places = match places {
            Some(places) => places,
            None => cluster.committed(group).await?.remove(topic).unwrap_or_default(),
        };
        let reader = Arc::new(Reader::new(cluster.bootstrap(), group)?);
        let start = |id: i32| places.0.get(&id).map_or(Start::Beginning, |next| Start::At(*next));
        let assigned: Vec<_> = partitions
            .iter()
            .map(|partition| (topic.to_owned(), partition.id, start(partition.id)))
            .collect();
        reader.assign(&assigned)?;
        let (sender, fed) = mpsc::channel(WAITING_MAX);
        let (feeding, runtime) = (reader.clone(), Handle::current());
        std::thread::spawn(move || feed(&feeding, decoder, &runtime, &sender));
        Ok(Self { fed, reader, topic: topic.to_owned(), guards })
    }

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

impl Drop for Feed {
    /// Commits nothing: what was read is not written yet. Without that guard it does what a client does that commits by itself.
    fn drop(&mut self) {
        if self.guards.lack(Break::NoFlushOnStop)
            && let Err(cause) = self.reader.commit_read()
        {
            tracing::warn!("{cause}");
        }
    }
}

fn feed(reader: &Reader, mut decoder: Decoder, runtime: &Handle, sender: &mpsc::Sender<Fed>) {
    let (mut told, mut part) = (Offsets::default(), vec![]);
    while !sender.is_closed() {
        // What is there goes on at once, in as few parts as that allows.
        let pause = if part.is_empty() { POLL } else { Duration::ZERO };
        let (fed, last) = match reader.poll(pause) {
            Ok(Polled::Record(record)) => match decoder.judge(record, runtime) {
                Ok(judged) => {
                    part.push(judged);
                    if part.len() < PART_RECORDS_MAX {
                        continue;
                    }
                    (Fed::Records(std::mem::take(&mut part)), false)
                }
                Err(cause) => (Fed::Ended(cause), true),
            },
            Ok(Polled::End { .. }) => continue,
            Ok(Polled::Nothing) if !part.is_empty() => (Fed::Records(std::mem::take(&mut part)), false),
            Ok(Polled::Nothing) => {
                let ends = Offsets(
                    reader.ends().into_iter().map(|(_, partition, offset)| (partition, offset)).collect(),
                );
                if ends == told {
                    continue;
                }
                told = ends.clone();
                (Fed::Caught(ends), false)
            }
            Err(cause) => {
                tracing::warn!("{cause}");
                continue;
            }
        };
        if sender.blocking_send(fed).is_err() || last {
            return;
        }
    }
}
