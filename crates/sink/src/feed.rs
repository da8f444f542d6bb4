//! A topic as a channel of batches, decoded and made ready by a thread of its own: while the store writes, the next batch is made.

use crate::{
    Places, Table,
    batch::{Batch, Gathered},
    decode::Decoder,
};
use kafka::{Batches, Cluster, Committer, KafkaError, Part, Record, cluster::End};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{runtime::Handle, sync::mpsc};
use uuid::Uuid;
use wire::passed::Offsets;

/// What the thread hands over.
pub enum Fed<B> {
    Batch(Batch<B>),
    /// The feed has ended: a record needs the registry, which is away, or the topic can't be read.
    Ended(String),
}

/// A running feed. Dropping it ends the thread.
pub struct Feed<B> {
    pub fed: mpsc::Receiver<Fed<B>>,
    pub group: Committer,
    read: Arc<Mutex<Offsets>>,
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

/// Batches that wait to be written. More would only be memory: what is read before them has a queue of its own.
const WAITING_MAX: usize = 1;
const POLL: Duration = Duration::from_millis(100);

impl<B: Send + 'static> Feed<B> {
    /// Starts to read where `places` say, else where the group was, else at the beginning.
    pub async fn start<T: Table<Batch = B>>(
        source: Source<'_, T>,
        places: Option<Offsets>,
    ) -> Result<Self, KafkaError> {
        let Source { cluster, topic, group, .. } = source;
        let begin = match places.clone() {
            Some(places) => places,
            None => cluster.committed(group).await?.remove(topic).unwrap_or_default(),
        };
        let oldest = cluster.ends(topic, End::First).await?.0;
        let place = |(id, oldest): (i32, i64)| (id, begin.0.get(&id).copied().unwrap_or(oldest));
        let places_to_read: Vec<_> = oldest.into_iter().map(place).collect();
        let (sender, fed) = mpsc::channel(WAITING_MAX);
        let read = Arc::new(Mutex::new(places.unwrap_or_default()));
        let feeder = Feeder {
            batches: Batches::start(cluster, topic, &places_to_read, &Handle::current()),
            part: None,
            decoder: source.decoder,
            table: source.table,
            topic_id: source.topic_id,
            batch_records_max: source.batch_records_max,
            read: read.clone(),
            runtime: Handle::current(),
        };
        std::thread::spawn(move || feeder.feed(&sender));
        Ok(Self { fed, group: Committer::new(cluster, group, topic), read })
    }

    /// How far records were taken, written or not.
    pub fn read(&self) -> Offsets {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the thread has.
struct Feeder<T> {
    batches: Batches,
    /// What is left of what was read.
    part: Option<Rest>,
    decoder: Decoder,
    table: Arc<T>,
    topic_id: Uuid,
    batch_records_max: usize,
    /// Next to read, of what was taken so far.
    read: Arc<Mutex<Offsets>>,
    runtime: Handle,
}

/// Records of a partition that were read and not taken, and what is next behind them.
struct Rest {
    records: std::vec::IntoIter<Record>,
    partition: i32,
    next: i64,
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
    fn batch(&mut self) -> Result<Option<Batch<T::Batch>>, String> {
        let mut next = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (before, mut gathered) = (next.clone(), Gathered::default());
        while !gathered.is_full(self.batch_records_max) {
            let pause = if gathered.is_empty() { POLL } else { Duration::ZERO };
            let Some(record) = self.record(pause, &mut next)? else { break };
            let row = self.decoder.row(&record, &self.runtime).map_err(|cause| cause.to_string())?;
            gathered.add(record, row);
        }
        if gathered.is_empty() && next == before {
            return Ok(None);
        }
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&next);
        Ok(Some(gathered.ready(&*self.table, Places { topic_id: self.topic_id, next })))
    }

    /// The next record; none where nothing has come, or markers only. With the last one of what was read, `next` is behind the markers
    /// that follow it.
    fn record(&mut self, wait: Duration, next: &mut Offsets) -> Result<Option<Record>, String> {
        if self.part.is_none() {
            let part = self.batches.next(usize::MAX, wait).map_err(|cause| cause.to_string())?;
            self.part = part.map(|Part { partition, records, next, .. }| Rest {
                records: records.into_iter(),
                partition,
                next,
            });
        }
        let Some(rest) = &mut self.part else { return Ok(None) };
        let record = rest.records.next();
        if let Some(record) = &record {
            next.include(record.partition, record.offset);
        }
        if rest.records.len() == 0 {
            next.include(rest.partition, rest.next - 1);
            self.part = None;
        }
        Ok(record)
    }
}
