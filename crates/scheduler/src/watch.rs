//! What must not be: counters that are wrong, and runs that can't go on. Mended, and told.

use crate::outside::Outside;
use service::Service;
use std::time::Duration;

/// It costs a walk over all open runs.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Looks until the process is to end.
pub async fn follow(service: &Service, outside: &Outside) -> anyhow::Result<()> {
    let drift = service.metrics.counter(
        "counter_drift_total",
        "Counters of runs and tasks that were not what the tasks say, and were mended",
    )?;
    let stuck = service
        .metrics
        .counter("runs_stuck_total", "Runs that failed because nothing in them could go on")?;
    while !service.shutdown.is_cancelled() {
        tokio::select! { () = tokio::time::sleep(LOOK_AGAIN) => {}, () = service.shutdown.cancelled() => break }
        match postgres::answered(outside.queue.reconcile()).await {
            Ok(found) => {
                drift.inc_by(found.drift);
                stuck.inc_by(found.stuck);
            }
            Err(cause) => tracing::warn!("open runs were not looked at: {cause}"),
        }
    }
    Ok(())
}
