//! Runs that have ended, for who tells a collector of traces.
//!
//! A trigger notes each in the transaction that ends it (migration 11), as long as somebody wants them. Each is taken by one
//! scheduler, and is told once or, where that one dies, not at all.

use crate::{Queue, RunRow};
use chrono::{DateTime, Utc};
use sqlx::{FromRow, Row, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;

/// One try at a task, as a collector is told of it.
#[derive(Clone, Debug)]
pub struct TracedAttempt {
    pub run_id: Uuid,
    pub attempt_id: Uuid,
    pub task: String,
    pub attempt: i32,
    pub kind: String,
    pub pool: String,
    /// Who began it.
    pub holder: Option<String>,
    /// How it ended; `lost` where its holder fell silent.
    pub state: String,
    pub reason: Option<String>,
    /// Since when it could have begun.
    pub ready_at: Option<DateTime<Utc>>,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
}

impl Queue {
    /// From now on, and for so long, runs that end are noted.
    pub async fn want_traces(&self, how_long: Duration) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE trace_wanted SET until = now() + $1 * interval '1 second'")
            .bind(how_long.as_secs_f64())
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Takes up to `limit` of the runs that were noted, the oldest first: nobody else gets them.
    pub async fn take_traces(&self, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
        let statement = "DELETE FROM trace WHERE run_id IN (SELECT run_id FROM trace ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING run_id";
        sqlx::query_scalar(statement).bind(limit).fetch_all(&self.pool).await
    }

    /// Forgets the oldest of the runs that were noted, until so many are left. Answers how many.
    pub async fn drop_traces(&self, left: i64) -> Result<u64, sqlx::Error> {
        let statement = "DELETE FROM trace WHERE run_id IN (SELECT run_id FROM trace ORDER BY at DESC OFFSET $1 FOR UPDATE SKIP LOCKED)";
        Ok(sqlx::query(statement).bind(left).execute(&self.pool).await?.rows_affected())
    }

    /// These runs, and their attempts in the order in which they began.
    pub async fn traced(&self, runs: &[Uuid]) -> Result<(Vec<RunRow>, Vec<TracedAttempt>), sqlx::Error> {
        let rows =
            sqlx::query_as("SELECT * FROM run WHERE id = ANY ($1)").bind(runs).fetch_all(&self.pool).await?;
        let attempts = sqlx::query_as(include_str!("sql/traced_attempts.sql"));
        Ok((rows, attempts.bind(runs).fetch_all(&self.pool).await?))
    }
}

impl<'r> FromRow<'r, PgRow> for TracedAttempt {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            run_id: row.try_get("run_id")?,
            attempt_id: row.try_get("attempt_id")?,
            task: row.try_get("task")?,
            attempt: row.try_get("attempt")?,
            kind: row.try_get("kind")?,
            pool: row.try_get("pool")?,
            holder: row.try_get("holder")?,
            state: row.try_get("state")?,
            reason: row.try_get("reason")?,
            ready_at: row.try_get("ready_at")?,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}
