//! What there is to do beside tasks, asked in one statement: a scheduler with nothing to do asks little.

use crate::Queue;
use sqlx::{FromRow, Row, postgres::PgRow};
use std::time::Duration;

/// What there is to do now, and when there is more.
#[derive(Clone, Debug, PartialEq)]
pub struct Chores {
    /// DAGs are to be looked at.
    pub due: bool,
    /// Successes are to be followed.
    pub successes: bool,
    /// Tasks have lost their holder.
    pub lost: bool,
    /// Runs are past their timeout.
    pub overdue: bool,
    /// Runs wait for a place.
    pub queued: bool,
    /// Tasks wait for somebody to claim them: by now a hint should have been heard.
    pub ready: bool,
    /// Runs or tasks are past their deadline.
    pub late: bool,
    /// The next DAG is due in so long.
    pub next_in: Option<Duration>,
}

impl<'r> FromRow<'r, PgRow> for Chores {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let next_in: Option<f64> = row.try_get("next_in")?;
        Ok(Self {
            due: row.try_get("due")?,
            successes: row.try_get("successes")?,
            lost: row.try_get("lost")?,
            overdue: row.try_get("overdue")?,
            queued: row.try_get("queued")?,
            ready: row.try_get("ready")?,
            late: row.try_get("late")?,
            next_in: next_in.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok()),
        })
    }
}

impl Queue {
    pub async fn chores(&self) -> Result<Chores, sqlx::Error> {
        sqlx::query_as(include_str!("sql/chores.sql")).fetch_one(&self.pool).await
    }
}
