//! The streams that can be written to: topic made, schema registered.

use kafka::{Cluster, TopicSpec};
use pipeline::{Published, Stream};
use registry::{Registry, RegistryError};
use service::Service;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::watch;
use wire::avro::Codec;

/// A stream that is ready.
pub struct Ready {
    pub stream: Stream,
    pub codec: Codec,
    pub schema_id: u32,
    pub topic: Arc<str>,
    pub dead_topic: Arc<str>,
}

/// Why a declared stream is not ready.
#[derive(Clone, Debug)]
pub enum Unready {
    /// It may be soon.
    NotYet(String),
    /// It will not be until somebody changes something.
    Refused(String),
}

/// All declared streams; `None` until the published pipelines were read for the first time.
#[derive(Clone, Default)]
pub struct Streams(Arc<RwLock<Option<ByName>>>);

type ByName = HashMap<String, Result<Arc<Ready>, Unready>>;

const TRY_AGAIN: Duration = Duration::from_millis(500);

impl Streams {
    /// The stream, or why not; `None` where no pipeline declares it.
    pub fn get(&self, name: &str) -> Option<Result<Arc<Ready>, Unready>> {
        let streams = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match streams.as_ref() {
            Some(known) => known.get(name).cloned(),
            None => {
                Some(Err(Unready::NotYet("the producer has not read the published pipelines yet".into())))
            }
        }
    }

    /// Keeps the streams as they are published until the process ends.
    pub async fn follow(
        &self,
        mut published: watch::Receiver<Published>,
        cluster: Cluster,
        registry: Registry,
        service: &Service,
    ) {
        loop {
            let current = published.borrow_and_update().clone();
            let waiting = self.prepare(&current, &cluster, &registry, service).await;
            let again = async {
                if waiting { tokio::time::sleep(TRY_AGAIN).await } else { std::future::pending().await }
            };
            tokio::select! {
                changed = published.changed() => if changed.is_err() { return },
                () = again => {}
                () = service.shutdown.cancelled() => return,
            }
        }
    }

    /// Makes each stream ready. Answers whether one of them is worth another try.
    async fn prepare(
        &self,
        published: &Published,
        cluster: &Cluster,
        registry: &Registry,
        service: &Service,
    ) -> bool {
        let mut next = HashMap::new();
        let mut waiting = false;
        for pipeline in published.pipelines.values() {
            for stream in pipeline.streams.values() {
                let prepared = match pipeline.jobs_into(&stream.name).next() {
                    Some(job) => Err(Unready::Refused(format!(
                        "the stream is written by the job \"{}\"; send records to the job's input",
                        job.name
                    ))),
                    None => self.ready(stream, cluster, registry).await,
                };
                if let Err(Unready::NotYet(reason)) = &prepared {
                    waiting = true;
                    service.health.bad("streams", reason.clone());
                }
                next.insert(stream.name.clone(), prepared);
            }
        }
        if !waiting {
            service.health.good("streams");
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(next);
        waiting
    }

    async fn ready(
        &self,
        stream: &Stream,
        cluster: &Cluster,
        registry: &Registry,
    ) -> Result<Arc<Ready>, Unready> {
        if let Some(Ok(known)) = self.get(&stream.name)
            && known.stream == *stream
        {
            return Ok(known);
        }
        prepare_stream(stream, cluster, registry).await.map(Arc::new)
    }
}

async fn prepare_stream(stream: &Stream, cluster: &Cluster, registry: &Registry) -> Result<Ready, Unready> {
    let codec = Codec::parse(&stream.avsc).map_err(|cause| Unready::Refused(cause.to_string()))?;
    let dead = model::dead::topic_of(&stream.name);
    let specs = [
        TopicSpec::new(&stream.name, stream.partitions as usize, stream.replication, stream.retention),
        TopicSpec::dead(&dead, stream.partitions as usize, stream.replication),
    ];
    kafka::topics::ensure(cluster, &specs).await.map_err(|cause| match cause {
        kafka::KafkaError::Partitions { .. } => Unready::Refused(cause.to_string()),
        _ => Unready::NotYet(cause.to_string()),
    })?;
    let schema_id =
        registry.register(&format!("{}-value", stream.name), &codec.canonical()).await.map_err(|cause| {
            match cause {
                RegistryError::Incompatible { .. } => Unready::Refused(cause.to_string()),
                _ => Unready::NotYet(cause.to_string()),
            }
        })?;
    tracing::info!(topic = stream.name, schema_id, "stream is ready");
    Ok(Ready {
        codec,
        schema_id,
        topic: stream.name.as_str().into(),
        dead_topic: dead.into(),
        stream: stream.clone(),
    })
}
