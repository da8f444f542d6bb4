//! One table: reads, writes, quarantines, commits, for as long as its declaration stands.

use crate::{
    Context, Store, Target, WriteError,
    batch::{Decoder, Judged},
    feed::{Fed, Feed, PART_RECORDS_MAX},
    progress::{Progress, Telling},
    status::Status,
    store::{Places, Written},
};
use kafka::{Cluster, KafkaError, Outgoing, RECORD_ID, Record, TopicSpec};
use model::{DeadLetter, Incarnation, Retry, Stage};
use pipeline::Stream;
use service::{Break, CancellationToken};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use wire::passed::Offsets;

/// Drives a table until it is stopped. What fails is tried again for ever; the reason is visible meanwhile.
pub async fn drive<S: Store>(context: Context<S>, target: Target, stop: CancellationToken) {
    let mut status = Status::new(&context, &target);
    let mut failed = 0;
    while !stop.is_cancelled() {
        let Some(cause) = go_on(&context, &target, &mut status, &stop).await else { return };
        failed += 1;
        status.problem(&cause).await;
        let pause = PAUSE.pause(failed, rand::random_range(0.0..1.0));
        tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => return }
    }
}

/// A batch takes some milliseconds, and where row by row must be tried a second. Who has not answered by then never will.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A store may have done what it never answered; everything that is asked of it may be asked again.
async fn answered<T>(asked: impl Future<Output = Result<T, WriteError>>) -> Result<T, WriteError> {
    let silent = |_| Err(WriteError::Away(format!("the database did not answer within {ANSWER_MAX:?}")));
    timeout(ANSWER_MAX, asked).await.unwrap_or_else(silent)
}

const PAUSE: Retry = Retry::new(u32::MAX, Duration::from_millis(200), Duration::from_secs(5));

/// Goes on from the last commit until it is stopped, or something fails. The answer is what failed.
async fn go_on<S: Store>(
    context: &Context<S>,
    target: &Target,
    status: &mut Status,
    stop: &CancellationToken,
) -> Option<String> {
    let started = stop.run_until_cancelled(Drive::start(context, target)).await?;
    let mut drive = match started {
        Ok(drive) => drive,
        Err(cause) => return Some(cause),
    };
    status.good().await;
    let ended = stop.run_until_cancelled(drive.go(status)).await;
    // What was written is told, or it would be read and counted again. If that fails too, so it is.
    drive.written.hand_over();
    if let Ok(Err(cause)) = timeout(TELL_MAX, drive.tell(status)).await {
        tracing::info!(table = target.table.name, "its last place was not kept: {cause}");
    }
    ended
}

struct Drive<'a, S> {
    context: &'a Context<S>,
    target: &'a Target,
    life: Incarnation,
    feed: Feed,
    /// Next to read, once the batch in hand is written.
    next: Offsets,
    written: Progress,
}

/// At the end nobody waits longer for it.
const TELL_MAX: Duration = Duration::from_secs(2);

impl<'a, S: Store> Drive<'a, S> {
    async fn start(context: &'a Context<S>, target: &'a Target) -> Result<Self, String> {
        answered(context.store.prepare(target)).await.map_err(|cause| cause.to_string())?;
        let topic = context.cluster.topic(&target.stream.name).await.map_err(|cause| match cause {
            KafkaError::NoTopic { topic } => {
                format!("waiting for the topic {topic}, which its first writer makes")
            }
            other => other.to_string(),
        })?;
        ensure_dead_topic(&context.cluster, &target.stream).await.map_err(|cause| cause.to_string())?;
        let life = postgres::incarnation::resolve(&context.metadata, &topic.name, topic.id);
        let life = postgres::answered(life).await.map_err(|cause| cause.to_string())?;
        let places =
            answered(context.store.places(target, topic.id)).await.map_err(|cause| cause.to_string())?;
        let decoder = Decoder::new(context.registry.clone(), target, life.clone())?;
        let (group, guards) = (target.table.group(), context.guards);
        let feed = Feed::start(&context.cluster, &topic.name, &group, places.clone(), decoder, guards)
            .await
            .map_err(|cause| cause.to_string())?;
        let next = places.unwrap_or_default();
        let written = Progress::from(next.clone());
        Ok(Self { context, target, life, feed, next, written })
    }

    /// Writes what comes until something fails. The answer is what failed.
    async fn go(&mut self, status: &mut Status) -> String {
        loop {
            if let Err(cause) = self.step(status).await {
                return cause;
            }
        }
    }

    /// Takes what has come and makes it durable.
    async fn step(&mut self, status: &mut Status) -> Result<(), String> {
        let Some((records, caught)) = self.gather().await? else {
            self.written.hand_over();
            self.tell(status).await?;
            self.written.told();
            return Ok(());
        };
        records.iter().for_each(|Judged { record, .. }| self.next.include(record.partition, record.offset));
        if let Some(ends) = caught {
            ends.0.into_iter().for_each(|(partition, end)| self.next.include(partition, end - 1));
        }
        if records.is_empty() && self.next == self.written.next {
            return Ok(());
        }
        if self.context.guards.lack(Break::CommitBeforeWrite) {
            self.feed.commit(&self.next).await.map_err(|cause| cause.to_string())?;
        }
        if self.written.to_be_told_at().is_some_and(|at| at <= Instant::now()) {
            self.written.hand_over();
        }
        // Who waits for the database to write can tell meanwhile what it has written before.
        let (wrote, told) = tokio::join!(self.write(records), self.tell(status));
        told?;
        self.written.told();
        let (rows, dead) = wrote?;
        status.count(rows, dead);
        // Only now is everything before `next` durable or in quarantine.
        self.written.add(&self.next, rows, dead);
        Ok(())
    }

    /// Keeps how far the table is, and counts, where that is to be told.
    async fn tell(&self, status: &Status) -> Result<(), String> {
        let Some(Telling { next, rows, dead }) = self.written.telling() else { return Ok(()) };
        self.feed.commit(next).await.map_err(|cause| cause.to_string())?;
        tokio::join!(self.remember_height(next), status.keep_counts(*rows, *dead));
        Ok(())
    }

    /// Waits for the first records, then takes what else is there. Nothing where it is time to tell what was written.
    async fn gather(&mut self) -> Result<Option<(Vec<Judged>, Option<Offsets>)>, String> {
        let first = match self.written.to_be_told_at() {
            None => Ok(self.feed.fed.recv().await),
            Some(at) => timeout_at(at, self.feed.fed.recv()).await,
        };
        let Ok(first) = first else { return Ok(None) };
        let (mut records, mut fed) = (vec![], Some(first.ok_or("the reader has ended")?));
        while let Some(part) = fed {
            match part {
                Fed::Records(part) => records.extend(part),
                Fed::Caught(ends) => return Ok(Some((records, Some(ends)))),
                Fed::Ended(cause) => return Err(cause.to_string()),
            }
            if records.len() + PART_RECORDS_MAX > self.context.batch_records_max {
                break;
            }
            fed = self.feed.fed.try_recv().ok();
        }
        Ok(Some((records, None)))
    }

    /// Makes every record a row or a dead letter. The store keeps the place only with the last of its rows, so what it refuses is
    /// buried before that: a place must never be kept for a record that is nowhere yet.
    async fn write(&self, judged: Vec<Judged>) -> Result<(u64, u64), String> {
        let (mut records, mut rows, mut bad) = (vec![], vec![], vec![]);
        for Judged { record, row } in judged {
            match row {
                Ok(row) => {
                    records.push(record);
                    rows.push(row);
                }
                Err(reason) => bad.push((record, reason)),
            }
        }
        let mut dead = bad.len() as u64;
        self.bury(bad).await?;
        let places = Places { topic_id: self.life.topic_id, next: self.next.clone() };
        loop {
            let refused = match answered(self.context.store.write(self.target, &rows, &places)).await {
                Ok(Written::All) => return Ok((rows.len() as u64, dead)),
                Ok(Written::Refused(refused)) => refused,
                Err(WriteError::Away(reason)) => return Err(format!("{reason}; the batch is written again")),
                Err(WriteError::Unfit(reason)) => return Err(reason),
            };
            dead += refused.len() as u64;
            let out: std::collections::BTreeSet<usize> = refused.iter().map(|(row, _)| *row).collect();
            let refused = refused.into_iter().map(|(row, reason)| (records[row].clone(), reason));
            self.bury(refused.collect()).await?;
            rows = without(rows, &out);
            records = without(records, &out);
        }
    }

    /// Sends what cannot be a row to the dead letters, with where it came from.
    async fn bury(&self, bad: Vec<(Record, String)>) -> Result<(), String> {
        if self.context.guards.lack(Break::DropDeadLetters) {
            return Ok(());
        }
        let topic: std::sync::Arc<str> = model::dead::topic_of(&self.target.stream.name).into();
        let letters = bad.into_iter().map(|(record, reason)| Outgoing {
            topic: topic.clone(),
            headers: self.headers(&record, reason),
            key: record.key.map(|key| key.to_vec()),
            payload: record.payload.map(|payload| payload.to_vec()),
            partition: None,
        });
        for confirmed in self.context.sender.send_all(letters.collect()).await {
            confirmed.map_err(|cause| format!("a dead letter was not kept: {cause}"))?;
        }
        Ok(())
    }

    fn headers(&self, record: &Record, reason: String) -> Vec<(&'static str, String)> {
        let letter = DeadLetter {
            stage: Stage::Sink,
            reason,
            topic: record.topic.to_string(),
            partition: Some(record.partition),
            offset: Some(record.offset),
            job: Some(self.target.table.name.clone()),
            version: Some(self.target.version.clone()),
        };
        let mut headers = letter.headers();
        headers.extend(record.header(RECORD_ID).map(|id| (RECORD_ID, id.to_owned())));
        headers
    }

    async fn remember_height(&self, next: &Offsets) {
        let highest = next.0.values().max().copied().unwrap_or(0);
        let kept = postgres::incarnation::reached(&self.context.metadata, self.life.topic_id, highest);
        if let Err(cause) = postgres::answered(kept).await {
            tracing::warn!("the height of {} was not kept: {cause}", self.life.topic);
        }
    }
}

fn without<T>(items: Vec<T>, out: &std::collections::BTreeSet<usize>) -> Vec<T> {
    items.into_iter().enumerate().filter(|(index, _)| !out.contains(index)).map(|(_, item)| item).collect()
}

/// Made before the first record is read: a record that can't be a row must have somewhere to go.
async fn ensure_dead_topic(cluster: &Cluster, stream: &Stream) -> Result<(), KafkaError> {
    let name = model::dead::topic_of(&stream.name);
    let spec = TopicSpec::dead(name, stream.partitions as usize, stream.replication);
    kafka::topics::ensure(cluster, &[spec]).await
}
