//! What should have ended by now: told once, while it goes on.

use crate::outside::Outside;
use service::Service;
use std::time::Duration;

/// A deadline is told so late at most.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Looks until the process is to end.
pub async fn follow(service: &Service, outside: &Outside) -> anyhow::Result<()> {
    while !service.shutdown.is_cancelled() {
        match outside.queue.tell_late().await {
            Ok(told) => {
                for late in told {
                    tracing::warn!(run.id = %late.run_id, task = late.task, "{}", late.text);
                }
            }
            Err(cause) => tracing::warn!("deadlines were not looked at: {cause}"),
        }
        tokio::select! { () = tokio::time::sleep(LOOK_AGAIN) => {}, () = service.shutdown.cancelled() => {} }
    }
    Ok(())
}
