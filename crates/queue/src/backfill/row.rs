//! Backfills as they stand.

use crate::Queue;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, Row, postgres::PgRow};
use uuid::Uuid;

/// A backfill, with what became of its runs.
#[derive(Clone, Debug, Serialize)]
pub struct BackfillRow {
    pub id: Uuid,
    pub dag: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub reprocess: String,
    pub max_active: i32,
    /// running, paused, cancelled, or done: no run of it is open.
    pub state: String,
    pub who: String,
    pub why: Option<String>,
    #[serde(serialize_with = "crate::micros::at")]
    pub made_at: DateTime<Utc>,
    pub runs: Counts,
}

/// Runs by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    pub queued: i64,
    pub running: i64,
    pub success: i64,
    pub failed: i64,
    pub cancelled: i64,
}

impl Queue {
    /// The newest backfills, of one DAG or of all.
    pub async fn backfills(&self, dag: Option<&str>, limit: i64) -> Result<Vec<BackfillRow>, sqlx::Error> {
        self.backfills_page(dag, None, limit).await
    }

    /// A page of them: only those that are older than the backfill `before`.
    pub async fn backfills_page(
        &self,
        dag: Option<&str>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<BackfillRow>, sqlx::Error> {
        let statement = sqlx::query_as(include_str!("../sql/backfills.sql"));
        statement.bind(None::<Uuid>).bind(dag).bind(limit).bind(before).fetch_all(&self.pool).await
    }

    pub async fn backfill_row(&self, id: Uuid) -> Result<Option<BackfillRow>, sqlx::Error> {
        let statement = sqlx::query_as(include_str!("../sql/backfills.sql"));
        statement.bind(id).bind(None::<&str>).bind(1_i64).bind(None::<Uuid>).fetch_optional(&self.pool).await
    }
}

impl<'r> FromRow<'r, PgRow> for BackfillRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let runs = Counts {
            queued: row.try_get("queued")?,
            running: row.try_get("active")?,
            success: row.try_get("success")?,
            failed: row.try_get("failed")?,
            cancelled: row.try_get("cancelled")?,
        };
        let state: String = row.try_get("state")?;
        let open = runs.queued + runs.running > 0;
        Ok(Self {
            id: row.try_get("id")?,
            dag: row.try_get("dag")?,
            from: row.try_get("from_at")?,
            to: row.try_get("to_at")?,
            reprocess: row.try_get("reprocess")?,
            max_active: row.try_get("max_active")?,
            state: if open || state == "cancelled" { state } else { "done".into() },
            who: row.try_get("who")?,
            why: row.try_get("why")?,
            made_at: row.try_get("made_at")?,
            runs,
        })
    }
}
