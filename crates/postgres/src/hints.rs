//! LISTEN/NOTIFY: a hint that it is worth looking, never the truth.

use crate::answered;
use sqlx::{PgPool, postgres::PgListener};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Hints of one channel.
pub struct Hints {
    listener: PgListener,
    pool: PgPool,
    channel: String,
}

/// After so long without a hint the connection is asked whether it is still there: one that died without a word never says so.
const QUIET_MAX: Duration = Duration::from_secs(20);
/// The listener reconnects at the next call; without a pause a server that is away would make a loop.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Begins to listen, on a connection of its own.
pub async fn listen(pool: &PgPool, channel: &str) -> Result<Hints, sqlx::Error> {
    let (pool, channel) = (pool.clone(), channel.to_owned());
    Ok(Hints { listener: begin(&pool, &channel).await?, pool, channel })
}

async fn begin(pool: &PgPool, channel: &str) -> Result<PgListener, sqlx::Error> {
    answered(async {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(channel).await?;
        Ok(listener)
    })
    .await
}

impl Hints {
    /// Waits for a hint. Those that have come with it say no more than it does. A lost connection counts as one: something may have
    /// been missed.
    pub async fn next(&mut self) {
        self.next_payload().await;
        while let Ok(Ok(_)) = timeout(Duration::ZERO, self.listener.recv()).await {}
    }

    /// Waits for a hint whose payload is of interest.
    pub async fn next_where(&mut self, of_interest: impl Fn(&str) -> bool) {
        while self.next_payload().await.is_some_and(|payload| !of_interest(&payload)) {}
    }

    /// Waits for a hint and answers its payload; nothing where the connection was lost.
    pub async fn next_payload(&mut self) -> Option<String> {
        loop {
            let cause = match timeout(QUIET_MAX, self.listener.recv()).await {
                Ok(Ok(hint)) => return Some(hint.payload().to_owned()),
                Ok(Err(cause)) => cause,
                Err(_) => match answered(sqlx::query("SELECT 1").execute(&mut self.listener)).await {
                    Ok(_) => continue,
                    Err(cause) => cause,
                },
            };
            tracing::debug!("a hint of {} was lost: {cause}", self.channel);
            sleep(TRY_AGAIN).await;
            if let Ok(listener) = begin(&self.pool, &self.channel).await {
                self.listener = listener;
            }
            return None;
        }
    }
}
