//! Tells people and systems what became of runs: what the outbox has is sent, at least once.

mod channel;
mod email;

pub use channel::Channel;

use crate::{Config, outside::Outside};
use futures::future::join_all;
use queue::{Notification, Sent};
use service::Service;
use std::{collections::BTreeMap, time::Duration};

/// The outbox is looked at so often when no hint comes, and where a try in vain is to be repeated.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// Sent side by side: one channel that does not answer holds up at most so many.
const AT_ONCE: i64 = 16;
/// One try takes no longer.
const TRY_MAX: Duration = Duration::from_secs(30);
/// Whoever has not answered by then has died.
const LEASE: Duration = Duration::from_secs(60);

/// Sends until the process is to end.
pub async fn follow(service: &Service, config: &Config, outside: &Outside) -> anyhow::Result<()> {
    let told = service.metrics.counters(
        "notifications_total",
        "Tries to tell somebody of a run",
        &["channel", "outcome"],
    )?;
    for channel in config.notifications.keys() {
        // Shown as 0 from the beginning: what is not there can't be seen to grow.
        for outcome in ["sent", "failed"] {
            told.with_label_values(&[channel.as_str(), outcome]);
        }
    }
    let [mut hints] = postgres::listen(outside.queue.pool(), [queue::NOTIFICATIONS_CHANNEL]);
    while !service.shutdown.is_cancelled() {
        match postgres::answered(outside.queue.take_notifications(AT_ONCE, LEASE)).await {
            Ok(taken) => {
                let tries = taken.iter().map(|one| tell(outside, &config.notifications, one));
                for (channel, outcome) in join_all(tries).await {
                    told.with_label_values(&[channel, outcome]).inc();
                }
                if taken.len() as i64 == AT_ONCE {
                    continue;
                }
            }
            Err(cause) => tracing::warn!("notifications were not looked at: {cause}"),
        }
        tokio::select! {
            () = hints.next() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = service.shutdown.cancelled() => {}
        }
    }
    Ok(())
}

/// Sends one and writes down how that went. Answers the channel's name and a word for it.
async fn tell<'a>(
    outside: &Outside,
    channels: &BTreeMap<String, Channel>,
    notification: &'a Notification,
) -> (&'a str, &'static str) {
    let sent = send(outside, channels, notification).await;
    let word = match &sent {
        Sent::Yes => "sent",
        Sent::NotNow(problem) | Sent::Never(problem) => {
            tracing::warn!(run.id = %notification.run_id, channel = notification.channel, "not told: {problem}");
            "failed"
        }
    };
    // Without it the notification is taken again after its lease: it is told twice then, with the same key.
    if let Err(cause) = postgres::answered(outside.queue.notified(notification, &sent)).await {
        tracing::warn!("that a notification was sent was not kept: {cause}");
    }
    (&notification.channel, word)
}

async fn send(outside: &Outside, channels: &BTreeMap<String, Channel>, notification: &Notification) -> Sent {
    let name = &notification.channel;
    let Some(channel) = channels.get(name) else {
        return Sent::Never(format!("there is no [notifications.{name}] in config/scheduler.toml: add it"));
    };
    match tokio::time::timeout(TRY_MAX, channel.send(outside, notification)).await {
        Ok(sent) => sent,
        Err(_) => Sent::NotNow(format!("{name} did not take it within {} s", TRY_MAX.as_secs())),
    }
}

#[cfg(test)]
mod tests;
