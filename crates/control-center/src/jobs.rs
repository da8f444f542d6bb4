//! Slots of streaming jobs, as the coordinator and the workers write them to PostgreSQL.

use chrono::{DateTime, Utc};
use postgres::PgPool;
use serde::Serialize;
use sqlx::{FromRow, Row, postgres::PgRow};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slot {
    pub job: String,
    pub slot: i32,
    pub worker: Option<String>,
    /// waiting, starting, running, failed
    pub state: String,
    pub reason: Option<String>,
    pub rows_in: i64,
    pub rows_out: i64,
    pub dead: i64,
    pub lag: i64,
    pub watermark: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// More slots than this are not shown.
const SLOTS_MAX: i64 = 2_000;

/// All slots, by job. None where the tables do not exist yet: the processes that write them make them.
pub async fn slots(pool: &PgPool) -> Result<Vec<Slot>, sqlx::Error> {
    let slots = sqlx::query_as(
        "SELECT job, slot, worker, state, reason, rows_in, rows_out, dead, lag, watermark, updated_at
         FROM slot ORDER BY job, slot LIMIT $1",
    )
    .bind(SLOTS_MAX)
    .fetch_all(pool)
    .await;
    match slots {
        Err(cause) if is_missing_table(&cause) => Ok(vec![]),
        other => other,
    }
}

impl FromRow<'_, PgRow> for Slot {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            job: row.try_get("job")?,
            slot: row.try_get("slot")?,
            worker: row.try_get("worker")?,
            state: row.try_get("state")?,
            reason: row.try_get("reason")?,
            rows_in: row.try_get("rows_in")?,
            rows_out: row.try_get("rows_out")?,
            dead: row.try_get("dead")?,
            lag: row.try_get("lag")?,
            watermark: row.try_get("watermark")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

const UNDEFINED_TABLE: &str = "42P01";

fn is_missing_table(cause: &sqlx::Error) -> bool {
    cause.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == UNDEFINED_TABLE)
}
