//! Chores on a slow clock.
//!
//! tokio-cron-scheduler drives them, and only them: it freezes a zone's offset and collapses missed ticks, which does no harm here.

use crate::{Config, outside::Outside};
use service::Service;
use tokio_cron_scheduler::{Job, JobScheduler};

/// Five past every hour, UTC.
const HOURLY: &str = "0 5 * * * *";

/// Ticks until the process is to end.
pub async fn follow(service: &Service, config: &Config, outside: &Outside) -> anyhow::Result<()> {
    let mut ticks = JobScheduler::new().await?;
    let (queue, days) = (outside.queue.clone(), config.keep_runs.as_secs_f64() / 86_400.0);
    let forget = Job::new_async(HOURLY, move |_, _| {
        let queue = queue.clone();
        Box::pin(async move {
            match queue.forget(days).await {
                Ok(0) => {}
                Ok(runs) => tracing::info!("forgot {runs} runs that ended more than {days} days ago"),
                Err(cause) => tracing::warn!("old runs were not forgotten: {cause}"),
            }
        })
    })?;
    ticks.add(forget).await?;
    ticks.start().await?;
    service.shutdown.cancelled().await;
    ticks.shutdown().await?;
    Ok(())
}
