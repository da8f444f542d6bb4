//! What somebody is to be told of runs: an outbox.
//!
//! Triggers write a row for each channel in the transaction of what happened (migration 8), so that nothing is told that did not
//! happen, and nothing that happened is forgotten. Whoever sends takes a row for a while; a sender that dies leaves it to the
//! next one, so it may be told twice, with the same key.

use crate::Queue;
use chrono::{DateTime, Utc};
use model::Retry;
use serde::Serialize;
use sqlx::{FromRow, Row, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;

/// The channel of the hint that there is something to tell.
pub const NOTIFICATIONS_CHANNEL: &str = "millrace_notifications";

/// After so many tries in vain a notification has failed; with the waits between them that is more than an hour.
pub const TRIES_MAX: i32 = 10;
/// The first wait, which doubles, and the longest.
const RETRY: Retry = Retry::new(TRIES_MAX as u32, Duration::from_secs(5), Duration::from_secs(900));

/// Something to tell, and how that went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notification {
    pub id: i64,
    /// Goes out with it: who hears it twice can tell by it.
    pub key: String,
    pub channel: String,
    /// failure, deadline or recovery.
    pub kind: String,
    pub dag: String,
    pub run_id: Uuid,
    pub task: Option<String>,
    pub text: String,
    #[serde(serialize_with = "crate::micros::at")]
    pub made_at: DateTime<Utc>,
    /// waiting, sent or failed.
    pub state: String,
    pub tries: i32,
    #[serde(serialize_with = "crate::micros::maybe")]
    pub sent_at: Option<DateTime<Utc>>,
    /// What kept the last try from going out.
    pub problem: Option<String>,
}

/// How a try went.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    Yes,
    /// Try again later, up to [`TRIES_MAX`] times.
    NotNow(String),
    /// Another try would go as this one.
    Never(String),
}

impl Queue {
    /// Makes known who is told of a pipeline's DAGs: pairs of a DAG and a channel.
    pub async fn publish_notify(
        &self,
        pipeline: &str,
        channels: &[(String, String)],
    ) -> Result<(), sqlx::Error> {
        let (dags, channels): (Vec<String>, Vec<String>) = channels.iter().cloned().unzip();
        let mut transaction = self.pool.begin().await?;
        for statement in [include_str!("sql/forget_notify.sql"), include_str!("sql/add_notify.sql")] {
            sqlx::query(statement)
                .bind(pipeline)
                .bind(&dags)
                .bind(&channels)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Takes up to `limit` notifications that are due, for so long: whoever does not answer by then has died.
    pub async fn take_notifications(
        &self,
        limit: i64,
        lease: Duration,
    ) -> Result<Vec<Notification>, sqlx::Error> {
        sqlx::query_as(include_str!("sql/take_notifications.sql"))
            .bind(limit)
            .bind(lease.as_secs_f64())
            .fetch_all(&self.pool)
            .await
    }

    /// Writes down how a try went.
    pub async fn notified(&self, taken: &Notification, sent: &Sent) -> Result<(), sqlx::Error> {
        let (state, problem) = match sent {
            Sent::Yes => ("sent", None),
            Sent::NotNow(problem) if taken.tries < TRIES_MAX => ("waiting", Some(problem)),
            Sent::NotNow(problem) | Sent::Never(problem) => ("failed", Some(problem)),
        };
        // Another may have taken it since, and tried more often: it writes down its own.
        sqlx::query("UPDATE notification SET state = $3, problem = $4, next_at = now() + $5 * interval '1 second', sent_at = CASE WHEN $3 = 'sent' THEN now() END WHERE id = $1 AND tries = $2 AND state = 'waiting'")
            .bind(taken.id)
            .bind(taken.tries)
            .bind(state)
            .bind(problem)
            .bind(wait(taken.tries).as_secs_f64())
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// The newest notifications, of one state or of all; only those that are older than `before`.
    pub async fn notifications(
        &self,
        state: Option<&str>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Notification>, sqlx::Error> {
        sqlx::query_as(
            "SELECT * FROM notification WHERE ($1::text IS NULL OR state = $1) AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        )
        .bind(state)
        .bind(before)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
    }
}

/// After so many tries, in full: nothing is left to chance.
fn wait(tries: i32) -> Duration {
    RETRY.pause(u32::try_from(tries).unwrap_or_default(), 1.0)
}

impl<'r> FromRow<'r, PgRow> for Notification {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            key: row.try_get("key")?,
            channel: row.try_get("channel")?,
            kind: row.try_get("kind")?,
            dag: row.try_get("dag")?,
            run_id: row.try_get("run_id")?,
            task: row.try_get("task")?,
            text: row.try_get("text")?,
            made_at: row.try_get("made_at")?,
            state: row.try_get("state")?,
            tries: row.try_get("tries")?,
            sent_at: row.try_get("sent_at")?,
            problem: row.try_get("problem")?,
        })
    }
}
