//! LISTEN/NOTIFY: a hint that it is worth looking, never the truth.

use crate::{answered, one_connection};
use sqlx::{PgPool, postgres::PgListener};
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

/// Hints of one channel.
pub struct Hints(mpsc::Receiver<Hint>);

/// A payload; nothing where the connection was lost or is new: something may have been missed.
type Hint = Option<String>;

/// Who has so many waiting looks anyway; what comes beyond is dropped.
const WAITING_MAX: usize = 1_024;
/// After so long without a hint the connection is asked whether it is still there: one that died without a word never says so.
const QUIET_MAX: Duration = Duration::from_secs(20);
/// Without a pause a server that is away would make a loop.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Listens to some channels, on one connection that is none of the pool's: those are for work. While the server is away, it is asked
/// for again and again.
pub fn listen<const N: usize>(pool: &PgPool, channels: [&'static str; N]) -> [Hints; N] {
    let mut senders = vec![];
    let hints = channels.map(|channel| {
        let (sender, hints) = mpsc::channel(WAITING_MAX);
        senders.push((channel, sender));
        Hints(hints)
    });
    tokio::spawn(hear(pool.clone(), senders));
    hints
}

type Senders = Vec<(&'static str, mpsc::Sender<Hint>)>;

/// Until nobody wants to hear any more.
async fn hear(pool: PgPool, senders: Senders) {
    while senders.iter().any(|(_, sender)| !sender.is_closed()) {
        if let Err(cause) = hear_once(&pool, &senders).await {
            tracing::debug!("hints were lost: {cause}");
        }
        sleep(TRY_AGAIN).await;
    }
}

/// Until the connection is lost. Each time it is one of a pool of its own: a listener that is dropped says UNLISTEN first, and where the
/// connection is dead it keeps its place for as long as the system waits for an answer, a quarter of an hour.
async fn hear_once(pool: &PgPool, senders: &Senders) -> Result<(), sqlx::Error> {
    let own = one_connection(pool);
    let mut listener = answered(async {
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen_all(senders.iter().map(|(channel, _)| *channel)).await?;
        Ok::<_, sqlx::Error>(listener)
    })
    .await?;
    // Whoever is full has not missed that there is something.
    for (_, sender) in senders {
        let _ = sender.try_send(None);
    }
    while senders.iter().any(|(_, sender)| !sender.is_closed()) {
        match timeout(QUIET_MAX, listener.try_recv()).await {
            Ok(Ok(Some(hint))) => {
                for (_, sender) in senders.iter().filter(|(channel, _)| *channel == hint.channel()) {
                    let _ = sender.try_send(Some(hint.payload().to_owned()));
                }
            }
            Ok(Ok(None)) => break,
            Ok(Err(cause)) => return Err(cause),
            Err(_) => answered(sqlx::query("SELECT 1").execute(&mut listener)).await.map(|_| ())?,
        }
    }
    Ok(())
}

impl Hints {
    /// Waits for a hint. Those that have come with it say no more than it does. A lost connection counts as one.
    pub async fn next(&mut self) {
        self.next_payload().await;
        while self.0.try_recv().is_ok() {}
    }

    /// Waits for a hint whose payload is of interest.
    pub async fn next_where(&mut self, of_interest: impl Fn(&str) -> bool) {
        while self.next_payload().await.is_some_and(|payload| !of_interest(&payload)) {}
    }

    /// Waits for a hint and answers its payload; nothing where the connection was lost.
    pub async fn next_payload(&mut self) -> Option<String> {
        match self.0.recv().await {
            Some(hint) => hint,
            // Who hears has ended only where the runtime does.
            None => std::future::pending().await,
        }
    }
}
