//! One drive per declared table, started and stopped as the published pipelines change.

use crate::{Store, Target, drive::drive};
use kafka::{Cluster, LateSender};
use pipeline::{Published, Store as StoreName, Stream};
use prometheus::IntCounterVec;
use registry::Registry;
use service::{CancellationToken, Guards, Health, Service};
use sqlx::PgPool;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::watch, task::JoinHandle};

/// What every drive of a process uses.
pub struct Context<S> {
    pub store: Arc<S>,
    pub cluster: Cluster,
    /// Of dead letters.
    pub sender: Arc<LateSender>,
    pub registry: Registry,
    pub metadata: PgPool,
    pub health: Health,
    pub rows: IntCounterVec,
    pub dead: IntCounterVec,
    pub batch_records_max: usize,
    pub guards: Guards,
}

impl<S> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            cluster: self.cluster.clone(),
            sender: self.sender.clone(),
            registry: self.registry.clone(),
            metadata: self.metadata.clone(),
            health: self.health.clone(),
            rows: self.rows.clone(),
            dead: self.dead.clone(),
            batch_records_max: self.batch_records_max,
            guards: self.guards,
        }
    }
}

impl<S: Store> Context<S> {
    /// Gathers what drives need. `batch_records_max` bounds a batch.
    pub fn new(
        service: &Service,
        store: S,
        bootstrap: &str,
        registry: &str,
        metadata: PgPool,
        batch_records_max: usize,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            store: Arc::new(store),
            cluster: Cluster::new(bootstrap),
            sender: Arc::new(LateSender::new(bootstrap)),
            registry: Registry::new(registry)?,
            metadata,
            health: service.health.clone(),
            rows: service.metrics.counters("millrace_sink_rows_total", "Rows written", &["table"])?,
            dead: service.metrics.counters(
                "millrace_sink_dead_total",
                "Records that could not be a row",
                &["table"],
            )?,
            batch_records_max,
            guards: service.guards,
        })
    }
}

type Running = BTreeMap<String, (Target, CancellationToken, JoinHandle<()>)>;

/// What a sink begins with: its servers, and what is declared.
pub type Begun<S> = anyhow::Result<(Context<S>, watch::Receiver<Published>)>;

/// A sink's whole process. `begin` finds its servers, and only that may be broken off: drives are told to end and are waited for.
pub async fn process<S: Store>(
    service: &Service,
    listen: &str,
    store: StoreName,
    begin: impl Future<Output = Begun<S>>,
) -> anyhow::Result<()> {
    let drive = async {
        let Some(begun) = service.shutdown.run_until_cancelled(begin).await else { return Ok(()) };
        let (context, published) = begun?;
        run(context, store, published, service.shutdown.clone()).await;
        Ok(())
    };
    tokio::try_join!(service.serve(listen, axum::Router::new()), drive).map(drop)
}

/// Keeps the drives of one store's tables until the process is to end.
async fn run<S: Store>(
    context: Context<S>,
    store: StoreName,
    mut published: watch::Receiver<Published>,
    shutdown: CancellationToken,
) {
    let mut running = Running::new();
    loop {
        let current = published.borrow_and_update().clone();
        change(&context, &mut running, targets(&current, store)).await;
        context.health.good("tables");
        tokio::select! {
            changed = published.changed() => if changed.is_err() { break },
            () = shutdown.cancelled() => break,
        }
    }
    for (_, stop, handle) in running.into_values() {
        stop.cancel();
        let _ = handle.await;
    }
}

fn targets(published: &Published, store: StoreName) -> BTreeMap<String, Target> {
    let target = |(pipeline, table, stream): (&pipeline::Pipeline, &pipeline::Table, &Stream)| {
        // A stream whose schema can't be read is not published.
        let all = pipeline::columns(stream).unwrap_or_default();
        let wanted = |name: &String| {
            table
                .columns
                .as_ref()
                .is_none_or(|names| names.contains(name) || table.primary_key(&stream.key).contains(name))
        };
        let columns = all.into_iter().filter(|column| wanted(&column.name)).collect();
        let target = Target {
            pipeline: pipeline.name.clone(),
            version: pipeline.version.clone(),
            table: table.clone(),
            stream: stream.clone(),
            columns,
        };
        (table.name.clone(), target)
    };
    published.tables(store).into_iter().map(target).collect()
}

/// Stops drives whose declaration is gone or different, and starts those that are missing.
async fn change<S: Store>(context: &Context<S>, running: &mut Running, wanted: BTreeMap<String, Target>) {
    let same = |a: &Target, b: &Target| a.table == b.table && a.stream == b.stream;
    let ended: Vec<String> = running
        .iter()
        .filter(|(name, (target, ..))| !wanted.get(*name).is_some_and(|next| same(target, next)))
        .map(|(name, _)| name.clone())
        .collect();
    for name in ended {
        if let Some((_, stop, handle)) = running.remove(&name) {
            stop.cancel();
            let _ = handle.await;
            context.health.drop(&format!("table {name}"));
        }
    }
    for (name, target) in wanted {
        if running.contains_key(&name) {
            continue;
        }
        let stop = CancellationToken::new();
        context.health.bad(&format!("table {name}"), "it is being compared with its declaration");
        let handle = tokio::spawn(drive(context.clone(), target.clone(), stop.clone()));
        running.insert(name, (target, stop, handle));
    }
}
