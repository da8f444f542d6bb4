//! Claiming ready tasks under a lease.

use crate::Queue;
use chrono::{DateTime, Utc};
use model::{Break, TaskState};
use sqlx::{Row, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;

/// A task that this process may work on until its lease ends.
#[derive(Clone, Debug)]
pub struct Claim {
    pub run_id: Uuid,
    pub task: String,
    /// Names this claim in every write of its result.
    pub attempt_id: Uuid,
    /// Who has it.
    pub holder: String,
    /// Tries that were begun, this one included.
    pub attempt: i32,
    /// Of them, those since the task was last cleared whose holders did not fall silent: what retries are counted by.
    pub tries: u32,
    pub dag: String,
    pub pipeline: String,
    /// The version of the pipeline that the run keeps.
    pub hash: String,
    pub logical_at: DateTime<Utc>,
    /// What the run is for: from, and to before. A run for an instant begins and ends with it.
    pub interval: (DateTime<Utc>, DateTime<Utc>),
    /// The run's parameters, an object.
    pub params: serde_json::Value,
    /// When the run began, by the database's clock.
    pub run_started_at: DateTime<Utc>,
    /// Seconds since this try was begun, over all its looks.
    pub age: Duration,
    /// This look is the first of its try.
    pub first_look: bool,
    /// What the last look of this try kept.
    pub kept: Option<serde_json::Value>,
}

/// Begins what does not wait for the disk, and whose statements would take as long to plan as to do.
macro_rules! begin_soon {
    () => {
        "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL plan_cache_mode = force_generic_plan"
    };
}
pub(crate) use begin_soon;

/// A claim takes some milliseconds: one that is lost with the server is a holder that fell silent, and an ending that is kept keeps its
/// claim with it. What it joins are a few rows, each by its key: with other joins it would look at every task that is kept, as soon as
/// the server knows how many these are.
macro_rules! begin {
    () => {
        concat!(begin_soon!(), "; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    };
}
pub(crate) const BEGIN: &str = begin!();
/// One claimer at a time, or the limits of pools and DAGs could be passed. It begins the transaction and is no part of the claim, which
/// must see what the former holder of the lock has claimed.
const BEGIN_LOCKED: &str = concat!(begin!(), "; SELECT pg_advisory_xact_lock(hashtext('millrace claim'))");

impl Queue {
    /// Claims up to `limit` tasks that are ready, as pools, DAGs and priorities allow.
    pub async fn claim(&self, holder: &str, lease: Duration, limit: i64) -> Result<Vec<Claim>, sqlx::Error> {
        self.claim_or_when(holder, lease, limit).await.map(|(claims, _)| claims)
    }

    /// The same, and how long it is until the next retry or look is due, where there is one.
    pub async fn claim_or_when(
        &self,
        holder: &str,
        lease: Duration,
        limit: i64,
    ) -> Result<(Vec<Claim>, Option<Duration>), sqlx::Error> {
        let begin = if self.guards.lack(Break::NoClaimLock) { BEGIN } else { BEGIN_LOCKED };
        let mut transaction = self.claims.begin_with(begin).await?;
        let rows = sqlx::query(include_str!("sql/claim.sql"))
            .bind(limit)
            .bind(lease.as_secs_f64())
            .bind(holder)
            .bind([TaskState::Ready, TaskState::Retrying].map(TaskState::as_str))
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let next: Option<f64> = rows.first().map(|row| row.try_get("next_in")).transpose()?.flatten();
        let claims =
            rows.iter().filter_map(|row| claim(row, holder).transpose()).collect::<Result<_, _>>()?;
        Ok((claims, next.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok())))
    }

    /// Lengthens the leases of tasks that are still being worked on. Answers those that are still ours.
    pub async fn renew(&self, attempt_ids: &[Uuid], lease: Duration) -> Result<Vec<Uuid>, sqlx::Error> {
        if self.guards.lack(Break::AnyAttempt) {
            return Ok(attempt_ids.to_vec());
        }
        let statement = "UPDATE task SET lease_until = now() + $2 * interval '1 second' WHERE state = 'running' AND attempt_id = ANY($1) RETURNING attempt_id";
        let rows =
            sqlx::query(statement).bind(attempt_ids).bind(lease.as_secs_f64()).fetch_all(&self.pool).await?;
        rows.iter().map(|row| row.try_get("attempt_id")).collect()
    }
}

/// Nothing of the row that only tells when there will be something.
fn claim(row: &PgRow, holder: &str) -> Result<Option<Claim>, sqlx::Error> {
    let Some(run_id) = row.try_get("run_id")? else { return Ok(None) };
    Ok(Some(Claim {
        run_id,
        task: row.try_get("name")?,
        attempt_id: row.try_get("attempt_id")?,
        holder: holder.to_owned(),
        attempt: row.try_get("attempt")?,
        tries: u32::try_from(row.try_get::<i32, _>("tries")?).unwrap_or_default(),
        dag: row.try_get("dag")?,
        pipeline: row.try_get("pipeline")?,
        hash: row.try_get("hash")?,
        logical_at: row.try_get("logical_at")?,
        interval: (row.try_get("interval_start")?, row.try_get("interval_end")?),
        params: row.try_get("params")?,
        run_started_at: row.try_get("run_started_at")?,
        age: Duration::from_secs_f64(row.try_get::<f64, _>("age")?.max(0.0)),
        first_look: row.try_get("first_look")?,
        kept: row.try_get("kept")?,
    }))
}
