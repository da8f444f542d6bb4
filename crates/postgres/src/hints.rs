//! LISTEN/NOTIFY: a hint that it is worth looking, never the truth.

use sqlx::{PgPool, postgres::PgListener};

/// Hints of one channel.
pub struct Hints(PgListener);

/// Begins to listen, on a connection of its own.
pub async fn listen(pool: &PgPool, channel: &str) -> Result<Hints, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    Ok(Hints(listener))
}

impl Hints {
    /// Waits for a hint. A lost connection counts as one: something may have been missed.
    pub async fn next(&mut self) {
        self.next_payload().await;
    }

    /// Waits for a hint and answers its payload; nothing where the connection was lost.
    pub async fn next_payload(&mut self) -> Option<String> {
        match self.0.recv().await {
            Ok(hint) => Some(hint.payload().to_owned()),
            Err(cause) => {
                tracing::debug!("a hint was lost: {cause}");
                // The listener reconnects at the next call; without a pause a server that is away would make a loop.
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                None
            }
        }
    }
}
