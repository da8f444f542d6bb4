//! Due times become runs.

use crate::{Config, outside::Outside};
use chrono::{DateTime, SecondsFormat, Utc};
use pipeline::Dag;
use queue::{Cause, DagRow, NewRun};
use schedule::{Calendar, Due};
use service::Service;

/// Looks for due DAGs until the process is to end.
pub async fn follow(service: &Service, config: &Config, outside: &Outside) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(config.tick);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !service.shutdown.is_cancelled() {
        tick.tick().await;
        match round(outside).await {
            Ok(()) => service.health.good("schedule"),
            Err(cause) => service.health.bad("schedule", format!("due times were not looked at: {cause}")),
        }
    }
    Ok(())
}

async fn round(outside: &Outside) -> Result<(), sqlx::Error> {
    let (dags, now) = outside.queue.due().await?;
    for row in dags {
        let pipeline = match outside.version(&row.pipeline, &row.hash).await {
            Ok(pipeline) => pipeline,
            Err(reason) => {
                tracing::warn!(dag = row.name, "{reason}");
                continue;
            }
        };
        if let Some(dag) = pipeline.dags.get(&row.name) {
            let (runs, next) = plan(&row, dag, now);
            outside.queue.fire(&row, &runs, next).await?;
        }
    }
    outside.queue.rescue().await?;
    outside.queue.end_overdue().await?;
    admit_waiting(outside).await
}

/// The runs of a DAG that are due, and when to look again. Pure.
pub fn plan(row: &DagRow, dag: &Dag, now: DateTime<Utc>) -> (Vec<NewRun>, Option<DateTime<Utc>>) {
    let settings = &dag.settings;
    // A DAG is published only if its schedule can be read.
    let calendar = Calendar::new(&settings.schedule, &settings.timezone, settings.dst_overlap).ok();
    let start = settings.start.unwrap_or(row.first_at);
    let due = match &calendar {
        Some(calendar) => schedule::due(calendar, settings.catchup, start, row.last_logical, now),
        None => Due { runs: vec![], next: None },
    };
    let mut runs: Vec<NewRun> =
        due.runs.iter().map(|logical_at| run(row, dag, *logical_at, Cause::Schedule)).collect();
    if settings.run_immediately && row.last_logical.is_none() && runs.is_empty() {
        runs.push(run(row, dag, row.first_at, Cause::Schedule));
    }
    (runs, due.next)
}

/// The run of a due time. Its key is the time, so that it is made once, whatever the cause.
pub fn run(row: &DagRow, dag: &Dag, logical_at: DateTime<Utc>, cause: Cause) -> NewRun {
    let key = format!("schedule:{}:{}", dag.name, logical_at.to_rfc3339_opts(SecondsFormat::Secs, true));
    NewRun::of(dag, &row.pipeline, &row.hash, key, logical_at, cause)
}

/// Queued runs whose DAG has a place again.
async fn admit_waiting(outside: &Outside) -> Result<(), sqlx::Error> {
    for (dag, pipeline, hash) in outside.queue.waiting_dags().await? {
        let max = match outside.version(&pipeline, &hash).await {
            Ok(pipeline) => pipeline.dags.get(&dag).map_or(1, |dag| dag.settings.max_active_runs),
            Err(_) => 1,
        };
        outside.queue.admit(&dag, max.into()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
