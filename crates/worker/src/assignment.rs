//! Which slots this worker runs: follows the table that the coordinator writes, and says how they go.

use crate::{
    Config,
    owner::Owner,
    progress::{Progress, Report},
    slot::{self, Work},
};
use pipeline::Published;
use registry::Registry;
use service::{CancellationToken, Guards, Service};
use sqlx::{PgPool, Row};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// A slot that is running here.
struct Running {
    version: String,
    stop: CancellationToken,
    progress: Arc<Progress>,
    thread: std::thread::JoinHandle<()>,
}

type Slots = BTreeMap<(String, i32), Running>;

const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The channel of the hint that the coordinator has decided.
const CHANNEL: &str = "millrace_slots";

/// Runs what is assigned until the process is to end.
pub async fn follow(
    service: &Service,
    config: &Config,
    pool: PgPool,
    published: watch::Receiver<Published>,
) -> anyhow::Result<()> {
    let registry = Registry::new(&config.registry.url)?;
    let mut slots = Slots::new();
    let [mut hints] = postgres::listen(&pool, [CHANNEL]);
    while !service.shutdown.is_cancelled() {
        match look(service, config, &pool, &published, &registry, &mut slots).await {
            Ok(()) => service.health.good("assignments"),
            Err(cause) => service.health.bad("assignments", format!("{cause}; its slots go on")),
        }
        let pause = tokio::time::sleep(LOOK_AGAIN);
        tokio::select! { () = pause => {}, () = hints.next() => {}, () = service.shutdown.cancelled() => {} }
    }
    let all: Vec<_> = slots.into_values().collect();
    all.iter().for_each(|running| running.stop.cancel());
    tokio::task::spawn_blocking(move || all.into_iter().for_each(|running| drop(running.thread.join())))
        .await?;
    Ok(())
}

async fn look(
    service: &Service,
    config: &Config,
    pool: &PgPool,
    published: &watch::Receiver<Published>,
    registry: &Registry,
    slots: &mut Slots,
) -> anyhow::Result<()> {
    postgres::answered(heartbeat(service, config, pool)).await?;
    let assigned = sqlx::query("SELECT job, slot, version FROM slot WHERE worker = $1").bind(&service.name);
    let rows = postgres::answered(assigned.fetch_all(pool)).await?;
    let mut wanted = BTreeMap::new();
    for row in &rows {
        wanted.insert(
            (row.try_get::<String, _>("job")?, row.try_get::<i32, _>("slot")?),
            row.try_get::<String, _>("version")?,
        );
    }
    stop_unwanted(slots, &wanted);
    let current = published.borrow().clone();
    for ((job, number), version) in wanted {
        if slots.contains_key(&(job.clone(), number)) {
            continue;
        }
        let owner = Owner { pool: pool.clone(), worker: service.name.clone(), version: version.clone() };
        if let Some(work) = work(&current, &job, number, config, registry, owner, service.guards) {
            let running = start(work, version);
            slots.insert((job, number), running);
        }
    }
    postgres::answered(tell(service, pool, slots)).await
}

async fn heartbeat(service: &Service, config: &Config, pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query(include_str!("heartbeat.sql"))
        .bind(&service.name)
        .bind(&config.listen)
        .bind(config.capacity as i32)
        .execute(pool)
        .await
        .map(drop)
}

/// The work of a slot, if this process already knows the version that is wanted.
fn work(
    published: &Published,
    job: &str,
    number: i32,
    config: &Config,
    registry: &Registry,
    owner: Owner,
    guards: Guards,
) -> Option<Work> {
    let (pipeline, declared) = published.job(job)?;
    (pipeline.job_version(declared) == owner.version).then(|| Work {
        pipeline: pipeline.clone(),
        job: declared.clone(),
        number,
        config: config.clone(),
        registry: registry.clone(),
        owner,
        runtime: tokio::runtime::Handle::current(),
        guards,
    })
}

fn start(work: Work, version: String) -> Running {
    let stop = CancellationToken::new();
    let progress = Arc::new(Progress::default());
    let (stopped, told) = (stop.clone(), progress.clone());
    let thread = std::thread::spawn(move || slot::run(&work, &stopped, &told));
    Running { version, stop, progress, thread }
}

/// Asks slots to end that are no longer ours, or that are to run another version, and forgets those that have ended: one that
/// ended by itself is begun anew.
///
/// Nobody waits for them here. A slot may be in a question to Kafka for many seconds, and a worker that says nothing for so long
/// is taken for gone, with all its other slots.
fn stop_unwanted(slots: &mut Slots, wanted: &BTreeMap<(String, i32), String>) {
    let unwanted = slots.iter().filter(|(key, running)| wanted.get(*key) != Some(&running.version));
    unwanted.for_each(|(_, running)| running.stop.cancel());
    slots.retain(|_, running| !running.thread.is_finished());
}

async fn tell(service: &Service, pool: &PgPool, slots: &Slots) -> anyhow::Result<()> {
    for ((job, number), running) in slots {
        let Report { state, reason, counts, state_rows, watermark } = running.progress.report();
        match &reason {
            Some(reason) => service.health.bad(&format!("slot {job}/{number}"), reason.clone()),
            None => service.health.good(&format!("slot {job}/{number}")),
        }
        sqlx::query(include_str!("tell.sql"))
            .bind(job)
            .bind(number)
            .bind(&service.name)
            .bind(state)
            .bind(reason)
            .bind(counts.map(|counts| counts.rows_in as i64))
            .bind(counts.map(|counts| counts.rows_out as i64))
            .bind(counts.map(|counts| counts.dead as i64))
            .bind(counts.map(|counts| counts.late as i64))
            .bind(counts.map(|counts| counts.filtered as i64))
            .bind(state_rows as i64)
            .bind(watermark.and_then(chrono::DateTime::from_timestamp_millis))
            .execute(pool)
            .await?;
    }
    for (condition, _) in service.health.conditions() {
        let gone = condition
            .strip_prefix("slot ")
            .is_some_and(|name| !slots.keys().any(|(job, number)| format!("{job}/{number}") == name));
        if gone {
            service.health.drop(&condition);
        }
    }
    Ok(())
}
