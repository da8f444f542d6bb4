//! Reads the situation, decides, writes what is to be, and shows it; twice a second.

use crate::{
    Config,
    decide::{Assignment, Situation, SlotId, decide},
    lag,
    page::{self, SlotRow, View, WorkerRow},
    rate::Rates,
    recut,
};
use kafka::Cluster;
use pipeline::Published;
use service::Service;
use sqlx::{PgConnection, PgPool, Row};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::sync::{broadcast, watch};
use web::live::Patch;

const ROUND: Duration = Duration::from_millis(500);

/// Goes round until the process is to end. A failed round changes nothing.
pub async fn run(
    service: &Service,
    config: &Config,
    pool: PgPool,
    published: watch::Receiver<Published>,
    view: watch::Sender<View>,
    patches: broadcast::Sender<Patch>,
) -> anyhow::Result<()> {
    let lags =
        lag::follow(Cluster::new(&config.kafka.bootstrap), published.clone(), service.shutdown.clone());
    let mut rates = Rates::default();
    let mut tick = tokio::time::interval(ROUND);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !service.shutdown.is_cancelled() {
        tick.tick().await;
        let current = published.borrow().clone();
        match postgres::answered(round(&pool, config, &current)).await {
            Ok(mut next) => {
                measure(&mut next.slots, &lags.borrow(), &mut rates);
                service.health.good("rounds");
                page::patch(&patches, &next);
                view.send_replace(next);
            }
            Err(cause) => {
                service.health.bad("rounds", format!("a round failed: {cause}; workers go on as they are"))
            }
        }
    }
    Ok(())
}

/// Adds what the table does not have: how far behind, and how fast.
fn measure(slots: &mut [SlotRow], lags: &BTreeMap<String, u64>, rates: &mut Rates) {
    let now = Instant::now();
    for slot in &mut *slots {
        slot.lag = lags.get(&slot.job).copied();
        slot.rate = rates.see((slot.job.clone(), slot.slot), slot.rows_in, now);
    }
    rates.keep(|(job, number)| slots.iter().any(|slot| slot.job == *job && slot.slot == *number));
}

async fn round(pool: &PgPool, config: &Config, published: &Published) -> anyhow::Result<View> {
    recut::recut(pool, &config.kafka.bootstrap, published).await?;
    let mut transaction = pool.begin().await?;
    // One coordinator decides at a time.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('millrace coordinator'))")
        .execute(&mut *transaction)
        .await?;
    let stopped = keep_jobs(&mut transaction, published).await?;
    let workers = workers(&mut transaction, config.worker_silent_max).await?;
    let assigned = assigned(&mut transaction).await?;
    let situation = Situation {
        wanted: wanted(published, &stopped),
        workers: workers
            .iter()
            .filter(|worker| worker.alive)
            .map(|worker| (worker.name.clone(), worker.capacity))
            .collect(),
        assigned,
    };
    let decided = decide(&situation);
    write(&mut transaction, &situation.assigned, &decided).await?;
    let slots = slots(&mut transaction).await?;
    transaction.commit().await?;
    Ok(View { workers, slots })
}

/// Makes published jobs known and answers those that somebody has stopped.
async fn keep_jobs(connection: &mut PgConnection, published: &Published) -> Result<Vec<String>, sqlx::Error> {
    let mut names = vec![];
    for pipeline in published.pipelines.values() {
        for job in pipeline.jobs.values() {
            names.push(job.name.clone());
            sqlx::query(include_str!("keep_job.sql"))
                .bind(&job.name)
                .bind(&pipeline.name)
                .bind(&pipeline.version)
                .bind(pipeline.job_version(job))
                .bind(job.slots as i32)
                .execute(&mut *connection)
                .await?;
        }
    }
    sqlx::query("UPDATE job SET retired = true WHERE name <> ALL ($1) AND NOT retired")
        .bind(&names)
        .execute(&mut *connection)
        .await?;
    let stopped = sqlx::query("SELECT name FROM job WHERE wanted = 'stopped'").fetch_all(connection).await?;
    stopped.iter().map(|row| row.try_get("name")).collect()
}

fn wanted(published: &Published, stopped: &[String]) -> BTreeMap<SlotId, String> {
    let mut wanted = BTreeMap::new();
    for pipeline in published.pipelines.values() {
        for job in pipeline.jobs.values().filter(|job| !stopped.contains(&job.name)) {
            for number in 0..job.slots as i32 {
                wanted.insert((job.name.clone(), number), pipeline.job_version(job));
            }
        }
    }
    wanted
}

async fn workers(connection: &mut PgConnection, silent_max: Duration) -> Result<Vec<WorkerRow>, sqlx::Error> {
    let statement = "SELECT *, heartbeat_at > now() - $1 * interval '1 second' AS alive FROM worker WHERE heartbeat_at > now() - interval '1 hour' ORDER BY name";
    let rows = sqlx::query(statement).bind(silent_max.as_secs_f64()).fetch_all(connection).await?;
    let worker = |row: &sqlx::postgres::PgRow| {
        Ok(WorkerRow {
            name: row.try_get("name")?,
            address: row.try_get("address")?,
            capacity: row.try_get::<i32, _>("capacity")?.max(0) as usize,
            heartbeat_at: row.try_get("heartbeat_at")?,
            alive: row.try_get("alive")?,
        })
    };
    rows.iter().map(worker).collect()
}

async fn assigned(
    connection: &mut PgConnection,
) -> Result<BTreeMap<SlotId, (String, Option<String>)>, sqlx::Error> {
    let rows = sqlx::query("SELECT job, slot, version, worker FROM slot").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok((
                (row.try_get("job")?, row.try_get("slot")?),
                (row.try_get("version")?, row.try_get("worker")?),
            ))
        })
        .collect()
}

async fn write(
    connection: &mut PgConnection,
    before: &Assignment,
    decided: &Assignment,
) -> Result<(), sqlx::Error> {
    let mut changed = false;
    for (slot, next) in decided.iter().filter(|(slot, next)| before.get(*slot) != Some(*next)) {
        changed = true;
        tracing::info!(
            job = slot.0,
            slot = slot.1,
            "goes to {}",
            next.1.as_deref().unwrap_or("nobody: no worker has room")
        );
        sqlx::query(include_str!("assign.sql"))
            .bind(&slot.0)
            .bind(slot.1)
            .bind(&next.0)
            .bind(&next.1)
            .execute(&mut *connection)
            .await?;
    }
    for slot in before.keys().filter(|slot| !decided.contains_key(*slot)) {
        changed = true;
        sqlx::query("DELETE FROM slot WHERE job = $1 AND slot = $2")
            .bind(&slot.0)
            .bind(slot.1)
            .execute(&mut *connection)
            .await?;
    }
    if changed {
        sqlx::query("SELECT pg_notify('millrace_slots', '')").execute(connection).await?;
    }
    Ok(())
}

async fn slots(connection: &mut PgConnection) -> Result<Vec<SlotRow>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM slot ORDER BY job, slot").fetch_all(connection).await?;
    let slot = |row: &sqlx::postgres::PgRow| {
        Ok(SlotRow {
            job: row.try_get("job")?,
            slot: row.try_get("slot")?,
            version: row.try_get("version")?,
            worker: row.try_get("worker")?,
            state: row.try_get("state")?,
            reason: row.try_get("reason")?,
            rows_in: row.try_get::<i64, _>("rows_in")? as u64,
            rate: None,
            rows_out: row.try_get::<i64, _>("rows_out")? as u64,
            dead: row.try_get::<i64, _>("dead")? as u64,
            late: row.try_get::<i64, _>("late")? as u64,
            filtered: row.try_get::<i64, _>("filtered")? as u64,
            state_rows: row.try_get::<i64, _>("state_rows")? as u64,
            watermark: row.try_get("watermark")?,
            lag: None,
        })
    };
    rows.iter().map(slot).collect()
}
