//! Hints to who listens: worth a look, never the truth.
//!
//! A transaction with a hint in it holds a lock of the whole server while its commit waits for the disk. So what happens often
//! is told after the commit, by a statement of its own that waits for nothing; who dies in between leaves a change that is found
//! by the next look.

use crate::{CHANNEL, CHORES_CHANNEL, Hint, STOP_CHANNEL};
use sqlx::{PgConnection, Postgres, pool::PoolConnection};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What is to be told once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Tidings {
    runs: BTreeSet<Uuid>,
    chores: bool,
}

impl Tidings {
    /// The run has changed.
    pub(crate) fn run(&mut self, run_id: Uuid) {
        self.runs.insert(run_id);
    }

    /// There may be something to do beside tasks.
    pub(crate) fn chores(&mut self) {
        self.chores = true;
    }

    /// Tells it. `holder` is who need not look again.
    pub(crate) async fn tell(
        &self,
        connection: &mut PgConnection,
        holder: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        let runs = self.runs.iter().map(|run_id| (CHANNEL, Hint { run_id: *run_id, holder }.to_string()));
        let chores = self.chores.then(|| (CHORES_CHANNEL, String::new()));
        let (channels, payloads): (Vec<&str>, Vec<String>) = runs.chain(chores).unzip();
        if channels.is_empty() {
            return Ok(());
        }
        sqlx::query("SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS told (channel, payload)")
            .bind(channels)
            .bind(payloads)
            .execute(connection)
            .await
            .map(drop)
    }

    /// The same after the commit: what was done stands, whether or not somebody hears of it.
    pub(crate) async fn tell_after(&self, connection: &mut PgConnection, holder: Option<&str>) {
        if let Err(cause) = self.tell(connection, holder).await {
            tracing::debug!("a hint was not given: {cause}");
        }
    }

    /// The same, while the caller goes on. Of these there are as many as the pool has connections.
    pub(crate) fn tell_later(self, mut connection: PoolConnection<Postgres>, holder: Option<String>) {
        if self.runs.is_empty() && !self.chores {
            return;
        }
        tokio::spawn(async move { self.tell_after(&mut connection, holder.as_deref()).await });
    }
}

/// Tells, at the commit, that a run has changed.
pub(crate) async fn run(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    tell(connection, CHANNEL, Hint { run_id, holder: None }).await
}

/// Tells holders of the run's tasks that some are no longer theirs. Who misses it finds out when it lengthens its leases.
pub(crate) async fn stop(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    tell(connection, STOP_CHANNEL, run_id).await
}

/// Tells schedulers that a place is free, or a DAG due: who misses it finds out at the next tick.
pub(crate) async fn chores(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    tell(connection, CHORES_CHANNEL, "").await
}

async fn tell(
    connection: &mut PgConnection,
    channel: &str,
    payload: impl ToString,
) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(channel)
        .bind(payload.to_string())
        .execute(connection)
        .await
        .map(drop)
}
