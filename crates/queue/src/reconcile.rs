//! Runs whose counters are wrong are put right, and runs that can't go on say so.
//!
//! Neither should happen: counters move with the states that they count. But a run that hangs in silence is the worst that a
//! scheduler can do, so it is looked for, slowly.

use crate::{Queue, judge, run, run::lock, tell};
use model::RunState;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// What a look found and mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Runs and tasks whose counters were not what the tasks say.
    pub drift: u64,
    /// Runs that could not go on, and failed.
    pub stuck: u64,
}

/// Of the tasks of a run that can't go on, so many are named.
const NAMED_MAX: i64 = 5;

impl Queue {
    /// Mends what is found to be wrong.
    pub async fn reconcile(&self) -> Result<Reconciled, sqlx::Error> {
        let mut found = Reconciled::default();
        for (run_id, counters) in self.drifted().await? {
            tracing::error!(run.id = %run_id, "the counters of {counters} of its tasks, or of itself, were not what its tasks say; they are counted anew");
            self.settle(run_id).await?;
            found.drift += counters;
        }
        for row in sqlx::query(include_str!("sql/stuck.sql")).bind(None::<Uuid>).fetch_all(&self.pool).await?
        {
            found.stuck += u64::from(self.end_stuck(row.try_get("id")?).await?);
        }
        Ok(found)
    }

    /// Runs whose counters are not what their tasks say, and how many of them.
    pub async fn drifted(&self) -> Result<Vec<(Uuid, u64)>, sqlx::Error> {
        let rows = sqlx::query(include_str!("sql/drifted.sql")).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| Ok((row.try_get("id")?, row.try_get::<i64, _>("counters")?.unsigned_abs())))
            .collect()
    }

    async fn settle(&self, run_id: Uuid) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, run_id).await?;
        settle(&mut transaction, run_id).await?;
        transaction.commit().await
    }

    /// Fails the run, unless it goes on once its tasks are judged anew.
    async fn end_stuck(&self, run_id: Uuid) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, run_id).await?;
        settle(&mut transaction, run_id).await?;
        // Looked at again under the lock: it may have gone on meanwhile.
        let stuck = sqlx::query(include_str!("sql/stuck.sql"))
            .bind(run_id)
            .fetch_optional(&mut *transaction)
            .await?
            .is_some();
        if stuck {
            let reason = sentence(&mut transaction, run_id).await?;
            tracing::error!(run.id = %run_id, "{reason}");
            run::end(&mut transaction, run_id, RunState::Failed, &reason).await?;
        }
        transaction.commit().await?;
        Ok(stuck)
    }
}

/// Counts everything of a running run anew.
async fn settle(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    let statement = "UPDATE run SET tasks_left = (SELECT count(*) FROM task WHERE run_id = $1 AND ended_at IS NULL) WHERE id = $1 AND state = 'running'";
    let running = sqlx::query(statement).bind(run_id).execute(&mut *connection).await?.rows_affected() > 0;
    if running {
        judge::settle(connection, run_id).await?;
    }
    tell::run(connection, run_id).await
}

/// `the run can't go on: "b", "c" wait, nothing runs and nothing is due...`
async fn sentence(connection: &mut PgConnection, run_id: Uuid) -> Result<String, sqlx::Error> {
    let statement = "SELECT name, count(*) OVER () AS waiting FROM task WHERE run_id = $1 AND ended_at IS NULL ORDER BY name LIMIT $2";
    let rows: Vec<(String, i64)> =
        sqlx::query_as(statement).bind(run_id).bind(NAMED_MAX).fetch_all(connection).await?;
    let names: Vec<String> = rows.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let more = rows.first().map_or(0, |(_, waiting)| waiting - rows.len() as i64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Ok(format!(
        "the run can't go on: {}{more} waited, nothing ran and nothing was due. Clear the tasks, or mark what they wait for",
        names.join(", ")
    ))
}
