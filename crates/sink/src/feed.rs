//! Records of a topic as a channel, read by a thread of its own: librdkafka's reader blocks.

use kafka::{Cluster, KafkaError, Polled, Reader, Record, Start};
use service::{Break, Guards};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use wire::passed::Offsets;

/// What the thread hands over.
#[derive(Debug)]
pub enum Fed {
    Record(Record),
    /// Nothing came for a moment: every partition is read up to here, transaction markers included.
    Caught(Offsets),
}

/// A running feed. Dropping it ends the thread.
pub struct Feed {
    pub records: mpsc::Receiver<Fed>,
    reader: Arc<Reader>,
    topic: String,
    guards: Guards,
}

/// Records that wait between the reader and the store. More would only be memory: the reader has a queue of its own.
const WAITING_MAX: usize = 4_096;
const POLL: Duration = Duration::from_millis(100);

impl Feed {
    /// Starts to read `topic`. Begins where `places` say, else where the group was, else at the beginning.
    pub async fn start(
        cluster: &Cluster,
        topic: &str,
        group: &str,
        places: Option<Offsets>,
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
        let (sender, records) = mpsc::channel(WAITING_MAX);
        let feeding = reader.clone();
        std::thread::spawn(move || feed(&feeding, &sender));
        Ok(Self { records, reader, topic: topic.to_owned(), guards })
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

fn feed(reader: &Reader, records: &mpsc::Sender<Fed>) {
    let mut told = Offsets::default();
    while !records.is_closed() {
        let fed = match reader.poll(POLL) {
            Ok(Polled::Record(record)) => Fed::Record(record),
            Ok(Polled::End { .. }) => continue,
            Ok(Polled::Nothing) => {
                let ends = Offsets(
                    reader.ends().into_iter().map(|(_, partition, offset)| (partition, offset)).collect(),
                );
                if ends == told {
                    continue;
                }
                told = ends.clone();
                Fed::Caught(ends)
            }
            Err(cause) => {
                tracing::warn!("{cause}");
                continue;
            }
        };
        if records.blocking_send(fed).is_err() {
            return;
        }
    }
}
