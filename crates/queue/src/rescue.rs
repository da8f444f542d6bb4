//! Tasks whose holder fell silent, and runs that take too long.

use crate::{Queue, judge, run::lock, tell};
use model::{RunState, TaskState};
use sqlx::Row;
use uuid::Uuid;

/// A task that loses its holder so often takes it down with it.
pub const RESCUES_MAX: i32 = 5;

/// Runs that one transaction forgets, with their tasks: it holds up nothing else for long.
const FORGOTTEN_AT_ONCE: i64 = 500;

impl Queue {
    /// Gives tasks whose lease has ended to whoever claims next. Answers how many.
    ///
    /// A lost holder is not the task's failure, so it costs no retry; but after [`RESCUES_MAX`] times the task fails.
    pub async fn rescue(&self) -> Result<u64, sqlx::Error> {
        let lost = sqlx::query(
            "SELECT run_id, name, holder FROM task WHERE state = 'running' AND lease_until < now() ORDER BY lease_until, run_id, name LIMIT 100",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut rescued = 0;
        for row in &lost {
            let holder: Option<String> = row.try_get("holder")?;
            rescued += self
                .rescue_one(row.try_get("run_id")?, row.try_get("name")?, &holder.unwrap_or_default())
                .await?;
        }
        Ok(rescued)
    }

    async fn rescue_one(&self, run_id: Uuid, task: String, holder: &str) -> Result<u64, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, run_id).await?;
        let reason = format!("{holder} fell silent while it held the task");
        // Looked at again under the lock: the holder may have answered meanwhile.
        let row = sqlx::query(include_str!("sql/rescue.sql"))
            .bind(run_id)
            .bind(&task)
            .bind(&reason)
            .bind(RESCUES_MAX)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(row) = &row {
            tracing::warn!(run.id = %run_id, task, "{reason}");
            let state: String = row.try_get("state")?;
            if state == TaskState::Failed.as_str() {
                let ended = vec![(run_id, task, TaskState::Failed)];
                if judge::propagate(&mut transaction, ended, &[]).await? > 0 {
                    tell::chores(&mut transaction).await?;
                }
            }
            tell::run(&mut transaction, run_id).await?;
        }
        transaction.commit().await?;
        Ok(row.is_some().into())
    }

    /// Gives tasks back at an orderly end: they are ready again at once, and no rescue is counted.
    pub async fn give_back(&self, attempt_ids: &[Uuid]) -> Result<u64, sqlx::Error> {
        let statement = include_str!("sql/give_back.sql");
        Ok(sqlx::query(statement).bind(attempt_ids).execute(&self.pool).await?.rows_affected())
    }

    /// Fails runs that are past their deadline. Answers how many.
    pub async fn end_overdue(&self) -> Result<u64, sqlx::Error> {
        let overdue =
            sqlx::query("SELECT id FROM run WHERE state = 'running' AND deadline < now() LIMIT 100")
                .fetch_all(&self.pool)
                .await?;
        let mut ended = 0;
        for row in &overdue {
            ended += u64::from(
                self.end(row.try_get("id")?, RunState::Failed, "the run took longer than its timeout")
                    .await?,
            );
        }
        Ok(ended)
    }

    /// Forgets runs that ended before `days` days and lie in no month, and what belongs to them. Answers how many.
    pub async fn forget(&self, days: f64) -> Result<u64, sqlx::Error> {
        let statement = include_str!("sql/forget_runs.sql");
        let mut gone = 0;
        loop {
            let batch: (i64,) =
                sqlx::query_as(statement).bind(days).bind(FORGOTTEN_AT_ONCE).fetch_one(&self.pool).await?;
            gone += batch.0.unsigned_abs();
            if batch.0 < FORGOTTEN_AT_ONCE {
                break;
            }
        }
        for statement in [
            "DELETE FROM notification WHERE state <> 'waiting' AND made_at < now() - $1 * interval '1 day'",
            "DELETE FROM backfill b WHERE made_at < now() - $1 * interval '1 day' AND NOT EXISTS (SELECT FROM run WHERE backfill = b.id)",
        ] {
            sqlx::query(statement).bind(days).execute(&self.pool).await?;
        }
        for table in ["fetched_id", "fetch_attempt"] {
            let statement = format!("DELETE FROM {table} WHERE made_at < now() - interval '1 day'");
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&self.pool).await?;
        }
        Ok(gone)
    }
}
