//! One table: reads, writes, quarantines, commits, for as long as its declaration stands.

use crate::{
    Context, Store, Table, Target, Turns,
    decode::Decoder,
    feed::{Fed, Feed, Source},
    progress::{Progress, Telling},
    status::Status,
    writer::{Writer, answered},
};
use futures::{
    FutureExt, StreamExt,
    future::{Fuse, FusedFuture},
    stream::FuturesOrdered,
};
use kafka::{Cluster, KafkaError, TopicSpec};
use model::Retry;
use pipeline::Stream;
use service::{Break, CancellationToken};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// Drives a table until it is stopped. What fails is tried again for ever; the reason is visible meanwhile.
pub async fn drive<S: Store>(context: Context<S>, target: Target, stop: CancellationToken) {
    let mut status = Status::new(&context, &target);
    let (mut failed, mut untold) = (0, None);
    while !stop.is_cancelled() {
        let Some(cause) = go_on(&context, &target, &mut status, &mut untold, &stop).await else { return };
        failed += 1;
        status.problem(&cause).await;
        let pause = PAUSE.pause(failed, rand::random_range(0.0..1.0));
        tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => return }
    }
}

const PAUSE: Retry = Retry::new(u32::MAX, Duration::from_millis(200), Duration::from_secs(5));

/// Goes on from the last commit until it is stopped, or something fails. The answer is what failed; what was written before it and
/// could not be told is in `untold`.
async fn go_on<S: Store>(
    context: &Context<S>,
    target: &Target,
    status: &mut Status,
    untold: &mut Option<Telling>,
    stop: &CancellationToken,
) -> Option<String> {
    let started = stop.run_until_cancelled(Drive::start(context, target, untold)).await?;
    let mut drive = match started {
        Ok(drive) => drive,
        Err(cause) => return Some(cause),
    };
    status.good().await;
    let ended = stop.run_until_cancelled(drive.go(status)).await;
    if let Ok(Err(cause)) = timeout(TELL_MAX, drive.tell_rest(status)).await {
        tracing::info!(table = target.table.name, "its last place was not kept: {cause}");
    }
    *untold = drive.written.telling().cloned();
    ended.map(|Err(cause)| cause)
}

/// At the end nobody waits longer for it.
const TELL_MAX: Duration = Duration::from_secs(2);

struct Drive<'a, S: Store> {
    writer: Writer<'a, S>,
    feed: Feed<<S::Table as Table>::Batch>,
    written: Progress,
}

/// Batches in hand: while the writes of one come to their end, those of the next are begun, where the store allows that.
const IN_HAND_MAX: usize = 2;

impl<'a, S: Store> Drive<'a, S> {
    async fn start(
        context: &'a Context<S>,
        target: &'a Target,
        untold: &mut Option<Telling>,
    ) -> Result<Self, String> {
        let table = answered(context.store.open(target)).await.map_err(|cause| cause.to_string())?;
        let table = Arc::new(table);
        let topic = context.cluster.topic(&target.stream.name).await.map_err(|cause| match cause {
            KafkaError::NoTopic { topic } => {
                format!("waiting for the topic {topic}, which its first writer makes")
            }
            other => other.to_string(),
        })?;
        ensure_dead_topic(&context.cluster, &target.stream).await.map_err(|cause| cause.to_string())?;
        let life = postgres::incarnation::resolve(&context.metadata, &topic.name, topic.id);
        let life = postgres::answered(life).await.map_err(|cause| cause.to_string())?;
        let places = answered(table.places(topic.id)).await.map_err(|cause| cause.to_string())?;
        let source = Source {
            cluster: &context.cluster,
            topic: &topic.name,
            topic_id: topic.id,
            group: &target.table.group(),
            decoder: Decoder::new(context.registry.clone(), target, life.clone())?,
            table: table.clone(),
            batch_records_max: context.batch_records_max,
        };
        let feed = Feed::start(source, places.clone()).await.map_err(|cause| cause.to_string())?;
        let writer = Writer { context, target, table, life, turns: Turns::default() };
        Ok(Self { writer, feed, written: Progress::from(places.unwrap_or_default(), untold.take()) })
    }

    /// Writes what comes until something fails. What was written meanwhile is told beside it.
    async fn go(&mut self, status: &Status) -> Result<Infallible, String> {
        let Self { writer, feed: Feed { fed, group, .. }, written } = self;
        // Its answers come in the order of the batches: what is done has nothing before it that is not.
        let mut writing = FuturesOrdered::new();
        let mut telling = pin!(Fuse::terminated());
        let cause = loop {
            let tell_at = written.to_be_told_at().filter(|_| telling.is_terminated());
            tokio::select! {
                fed = fed.recv(), if writing.len() < IN_HAND_MAX => {
                    let batch = match fed {
                        Some(Fed::Batch(batch)) => batch,
                        Some(Fed::Ended(cause)) => break cause,
                        None => break "the reader has ended".to_owned(),
                    };
                    if writer.context.guards.lack(Break::CommitBeforeWrite) {
                        // Who tells holds the connection, and would not go on while this waits for it.
                        if !telling.is_terminated() {
                            telling.as_mut().await?;
                            written.told();
                        }
                        group.commit(&batch.next).await.map_err(|cause| cause.to_string())?;
                    }
                    writing.push_back(writer.write(batch));
                }
                Some(done) = writing.next() => {
                    written.add(&status.count(done?));
                }
                () = due(tell_at) => {
                    written.hand_over();
                    if let Some(told) = written.telling() {
                        telling.set(writer.tell(group, told.clone(), status).fuse());
                    }
                }
                told = telling.as_mut(), if !telling.is_terminated() => match told {
                    Ok(()) => written.told(),
                    Err(cause) => break cause,
                }
            }
        };
        // What is in hand becomes durable all the same, and is counted then.
        while let Some(Ok(done)) = writing.next().await {
            written.add(&status.count(done));
        }
        Err(cause)
    }

    /// What was written is told, or it would be read and counted again. If that fails too, so it is. Without that guard it does what a
    /// client does that commits what it has read.
    async fn tell_rest(&mut self, status: &Status) -> Result<(), String> {
        if self.writer.context.guards.lack(Break::NoFlushOnStop) {
            return self.feed.group.commit(&self.feed.read()).await.map_err(|cause| cause.to_string());
        }
        self.written.hand_over();
        match self.written.telling() {
            Some(told) => self.writer.tell(&self.feed.group, told.clone(), status).await?,
            None => return Ok(()),
        }
        self.written.told();
        Ok(())
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Made before the first record is read: a record that can't be a row must have somewhere to go.
async fn ensure_dead_topic(cluster: &Cluster, stream: &Stream) -> Result<(), KafkaError> {
    let name = model::dead::topic_of(&stream.name);
    let spec = TopicSpec::dead(name, stream.partitions as usize, stream.replication);
    kafka::topics::ensure(cluster, &[spec]).await
}
