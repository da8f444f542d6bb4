//! Due times become runs; and what else there is to do beside tasks.

use crate::{Config, after, outside::Outside};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use pipeline::Dag;
use queue::{Cause, DagRow, Fired, NewRun};
use schedule::{Due, History, Planned};
use service::Service;
use std::time::{Duration, Instant};

/// Does what there is to do until the process is to end.
pub async fn follow(service: &Service, config: &Config, outside: &Outside) -> anyhow::Result<()> {
    let [mut hints] = postgres::listen(outside.queue.pool(), [queue::CHORES_CHANNEL]);
    let mut by_hint = false;
    let last = service
        .metrics
        .number("scheduling_round_last_seconds", "When due times were last looked at, seconds since 1970")?;
    let took = service.metrics.number("scheduling_round_seconds", "How long that took")?;
    while !service.shutdown.is_cancelled() {
        let began = Instant::now();
        let next_in = match postgres::answered(round(outside, by_hint)).await {
            Ok(next_in) => {
                service.health.good("schedule");
                last.set(Utc::now().timestamp_millis() as f64 / 1_000.0);
                took.set(began.elapsed().as_secs_f64());
                next_in
            }
            Err(cause) => {
                service.health.bad("schedule", format!("due times were not looked at: {cause}"));
                None
            }
        };
        tokio::select! {
            () = hints.next() => by_hint = true,
            () = tokio::time::sleep(next_in.map_or(config.tick, |next_in| next_in.min(config.tick))) => by_hint = false,
            () = service.shutdown.cancelled() => {}
        }
    }
    Ok(())
}

/// Answers how long it is until a DAG is due.
async fn round(outside: &Outside, by_hint: bool) -> Result<Option<Duration>, sqlx::Error> {
    let mut chores = outside.queue.chores().await?;
    while chores.due {
        fire(outside).await?;
        chores = outside.queue.chores().await?;
    }
    if chores.successes {
        after::follow(outside).await?;
    }
    if chores.lost {
        outside.queue.rescue().await?;
    }
    if chores.overdue {
        outside.queue.end_overdue().await?;
    }
    if chores.queued {
        admit_waiting(outside).await?;
    }
    // Who is told of each change is told of tasks too; on its own clock, it looks for what nobody was told of.
    if chores.ready && !by_hint {
        outside.ready.notify_one();
    }
    if chores.late {
        for late in outside.queue.tell_late().await? {
            tracing::warn!(run.id = %late.run_id, task = late.task, "{}", late.text);
        }
    }
    Ok(chores.next_in)
}

/// DAGs whose runs are made in one transaction: a commit waits for the disk, and they wait together. It holds their rows, so it must
/// not be long.
const FIRED_TOGETHER: usize = 250;

async fn fire(outside: &Outside) -> Result<(), sqlx::Error> {
    let (dags, now) = outside.queue.due().await?;
    for dags in dags.chunks(FIRED_TOGETHER) {
        let mut fired = vec![];
        for dag in dags {
            fired.push(look(outside, dag, now).await);
        }
        outside.queue.fire_all(&fired).await?;
    }
    Ok(())
}

async fn look<'a>(outside: &Outside, row: &'a DagRow, now: DateTime<Utc>) -> Fired<'a> {
    let (runs, next_at) = match outside.version(&row.pipeline, &row.hash).await {
        Ok(pipeline) => pipeline.dags.get(&row.name).map_or((vec![], None), |dag| plan(row, dag, now)),
        Err(reason) => {
            tracing::warn!(dag = row.name, "{reason}");
            (vec![], Some(now + UNREADABLE))
        }
    };
    Fired { dag: row, runs, next_at }
}

/// A version that can't be read now is looked at again after so long.
const UNREADABLE: TimeDelta = TimeDelta::seconds(1);

/// The runs of a DAG that are due, and when to look again. Pure.
pub fn plan(row: &DagRow, dag: &Dag, now: DateTime<Utc>) -> (Vec<NewRun>, Option<DateTime<Utc>>) {
    let last = row.last_logical.map(|last| (last, row.last_end.unwrap_or(last)));
    let history = History { first_at: row.first_at, last, unpaused_at: row.unpaused_at };
    // A DAG is published only if its schedule can be read.
    let due = dag.settings.timetable(None).map(|timetable| timetable.due(&history, now));
    let Due { runs, next } = due.unwrap_or(Due { runs: vec![], next: None });
    let make = |planned: &Planned| NewRun {
        skipped: dag.settings.stale_after.filter(|_| planned.stale).map(|age| too_old(planned.fires_at, age)),
        ..run(row, dag, planned, Cause::Schedule)
    };
    (runs.iter().map(make).collect(), next.map(|next| next.fires_at))
}

/// The run of a due time. Its key is the time, so that it is made once, whatever the cause.
pub fn run(row: &DagRow, dag: &Dag, planned: &Planned, cause: Cause) -> NewRun {
    let time = planned.logical_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let key = format!("schedule:{}:{time}", dag.name);
    let run = NewRun::of(dag, &row.pipeline, &row.hash, key, planned.logical_at, cause);
    NewRun { interval: planned.interval, ..run }
}

fn too_old(due_at: DateTime<Utc>, age: Duration) -> String {
    let due_at = due_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let seconds = age.as_secs();
    format!(
        "not started: it was due at {due_at}, and stale_after is {seconds} s. Clear the run to start it all the same"
    )
}

/// Queued runs whose DAG has a place again, and those that waited until it was too late for them.
async fn admit_waiting(outside: &Outside) -> Result<(), sqlx::Error> {
    let (of_backfills, waiting): (Vec<_>, Vec<_>) =
        outside.queue.waiting_dags().await?.into_iter().partition(|(.., of_backfill)| *of_backfill);
    if !of_backfills.is_empty() {
        outside.queue.admit_backfills().await?;
    }
    for (name, pipeline, hash, _) in waiting {
        let version = outside.version(&pipeline, &hash).await.ok();
        let settings = version.as_ref().and_then(|version| version.dags.get(&name)).map(|dag| &dag.settings);
        if let Some(age) = settings.and_then(|settings| settings.stale_after) {
            outside.queue.end_stale(&name, age, |due_at| too_old(due_at, age)).await?;
        }
        outside.queue.admit(&name, settings.map_or(1, |settings| settings.max_active_runs).into()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
