//! What should have ended by now: told once, while it goes on. And what must not be: mended, and told.

use crate::outside::Outside;
use service::Service;
use std::time::{Duration, Instant};

/// A deadline is told so late at most.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Whether counters are right, and whether runs can go on, is looked at so often: it costs a walk over all open runs.
const RECONCILE_AGAIN: Duration = Duration::from_secs(10);

/// Looks until the process is to end.
pub async fn follow(service: &Service, outside: &Outside) -> anyhow::Result<()> {
    let drift = service.metrics.counter(
        "counter_drift_total",
        "Counters of runs and tasks that were not what the tasks say, and were mended",
    )?;
    let stuck = service
        .metrics
        .counter("runs_stuck_total", "Runs that failed because nothing in them could go on")?;
    let mut reconciled = Instant::now();
    while !service.shutdown.is_cancelled() {
        match outside.queue.tell_late().await {
            Ok(told) => {
                for late in told {
                    tracing::warn!(run.id = %late.run_id, task = late.task, "{}", late.text);
                }
            }
            Err(cause) => tracing::warn!("deadlines were not looked at: {cause}"),
        }
        if reconciled.elapsed() >= RECONCILE_AGAIN {
            reconciled = Instant::now();
            match outside.queue.reconcile().await {
                Ok(found) => {
                    drift.inc_by(found.drift);
                    stuck.inc_by(found.stuck);
                }
                Err(cause) => tracing::warn!("open runs were not looked at: {cause}"),
            }
        }
        tokio::select! { () = tokio::time::sleep(LOOK_AGAIN) => {}, () = service.shutdown.cancelled() => {} }
    }
    Ok(())
}
