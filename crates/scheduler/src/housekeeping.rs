//! Chores on a slow clock.
//!
//! tokio-cron-scheduler drives them, and only them: it freezes a zone's offset and collapses missed ticks, which does no harm here.

use crate::{Config, outside::Outside, results::Results};
use queue::Queue;
use service::Service;
use std::time::Duration;
use tokio_cron_scheduler::{Job, JobScheduler};

/// Five past every hour, UTC.
const HOURLY: &str = "0 5 * * * *";

/// Ticks until the process is to end.
pub async fn follow(service: &Service, config: &Config, outside: &Outside) -> anyhow::Result<()> {
    make_months(&outside.queue).await;
    let mut ticks = JobScheduler::new().await?;
    let (queue, days) = (outside.queue.clone(), config.keep_runs.as_secs_f64() / 86_400.0);
    let results = outside.results.clone();
    let forget = Job::new_async(HOURLY, move |_, _| {
        let (queue, results) = (queue.clone(), results.clone());
        Box::pin(async move {
            make_months(&queue).await;
            match queue.forget_months(days).await {
                Ok(months) if months.is_empty() => {}
                Ok(months) => tracing::info!("forgot the runs of {}", months.join(", ")),
                Err(cause) => tracing::warn!("old months were not forgotten: {cause}"),
            }
            match queue.forget(days).await {
                Ok(0) => {}
                Ok(runs) => tracing::info!("forgot {runs} runs that ended more than {days} days ago"),
                Err(cause) => tracing::warn!("old runs were not forgotten: {cause}"),
            }
            if let Err(cause) = forget_results(&queue, &results).await {
                tracing::warn!("results of forgotten runs were not deleted: {cause}");
            }
        })
    })?;
    ticks.add(forget).await?;
    ticks.start().await?;
    service.shutdown.cancelled().await;
    ticks.shutdown().await?;
    Ok(())
}

/// Without a month of its own, what runs is kept all the same, and forgotten more slowly.
async fn make_months(queue: &Queue) {
    if let Err(cause) = postgres::answered(queue.make_months(chrono::Utc::now())).await {
        tracing::warn!("this month and the next were not made: {cause}");
    }
}

/// A run that has a file has had its row for long: where there is none, it was forgotten.
const RESULT_AGE_MIN: Duration = Duration::from_secs(3600);

async fn forget_results(queue: &Queue, results: &Results) -> anyhow::Result<()> {
    for run_id in results.older(RESULT_AGE_MIN).await? {
        if queue.run(run_id).await?.is_none() {
            results.forget(run_id).await?;
        }
    }
    Ok(())
}
