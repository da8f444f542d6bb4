//! Runs, tasks, tries and logs, for pages and the command line.

use crate::Queue;
use chrono::{DateTime, Utc};
use model::{RunState, TaskState};
use serde::Serialize;
use sqlx::{FromRow, Row, postgres::PgRow};
use uuid::Uuid;

#[derive(Clone, Debug, Serialize)]
pub struct RunRow {
    pub id: Uuid,
    pub dag: String,
    pub pipeline: String,
    pub hash: String,
    pub logical_at: DateTime<Utc>,
    /// What the run is for, from and to before; `None` where that is its logical time.
    pub interval_start: Option<DateTime<Utc>>,
    pub interval_end: Option<DateTime<Utc>>,
    pub cause: String,
    /// The records that it is for.
    pub event: Option<serde_json::Value>,
    pub params: serde_json::Value,
    pub state: RunState,
    pub reason: Option<String>,
    #[serde(serialize_with = "crate::micros::at")]
    pub made_at: DateTime<Utc>,
    #[serde(serialize_with = "crate::micros::maybe")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "crate::micros::maybe")]
    pub ended_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Serialize)]
pub struct TaskRow {
    pub name: String,
    pub kind: String,
    pub state: TaskState,
    pub attempt: i32,
    /// When all that it waited for had ended.
    #[serde(serialize_with = "crate::micros::maybe")]
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Since when its last try could have begun: later than that after a retry or a lost holder.
    #[serde(serialize_with = "crate::micros::maybe")]
    pub queued_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "crate::micros::maybe")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "crate::micros::maybe")]
    pub ended_at: Option<DateTime<Utc>>,
    /// When it is looked at next, where it waits.
    #[serde(serialize_with = "crate::micros::maybe")]
    pub ready_at: Option<DateTime<Utc>>,
    /// Looked and must look again: it waits for something outside.
    pub deferred: bool,
    pub result: Option<serde_json::Value>,
    pub reason: Option<String>,
    /// Of an item: the task that it is an item of.
    pub map_of: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct AttemptRow {
    pub attempt: i32,
    pub state: String,
    pub reason: Option<String>,
    #[serde(serialize_with = "crate::micros::at")]
    pub started_at: DateTime<Utc>,
    #[serde(serialize_with = "crate::micros::maybe")]
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    pub dag: Option<&'a str>,
    pub state: Option<RunState>,
    /// Only older ones than this run.
    pub before: Option<Uuid>,
}

/// Something that was told of a run, once.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    #[serde(serialize_with = "crate::micros::at")]
    pub at: DateTime<Utc>,
    pub kind: String,
    pub task: Option<String>,
    pub text: String,
}

impl Queue {
    /// The newest runs, of one DAG or of all.
    pub async fn runs(&self, dag: Option<&str>, limit: i64) -> Result<Vec<RunRow>, sqlx::Error> {
        self.runs_page(&Which { dag, ..Which::default() }, limit).await
    }

    /// A page of runs, the newest first. The next page begins after the last run of this one.
    pub async fn runs_page(&self, which: &Which<'_>, limit: i64) -> Result<Vec<RunRow>, sqlx::Error> {
        sqlx::query_as(include_str!("sql/runs_page.sql"))
            .bind(which.dag)
            .bind(which.state.map(RunState::as_str))
            .bind(which.before)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }

    /// Runs of a DAG, in a state, for logical times from and to (both included), the oldest first.
    pub async fn run_ids(
        &self,
        which: &Which<'_>,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        limit: i64,
    ) -> Result<Vec<Uuid>, sqlx::Error> {
        sqlx::query_scalar(include_str!("sql/run_ids.sql"))
            .bind(which.dag)
            .bind(which.state.map(RunState::as_str))
            .bind(from)
            .bind(to)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }

    pub async fn run(&self, id: Uuid) -> Result<Option<RunRow>, sqlx::Error> {
        sqlx::query_as("SELECT * FROM run WHERE id = $1").bind(id).fetch_optional(&self.pool).await
    }

    /// The newest run of a DAG for a logical time.
    pub async fn run_at(&self, dag: &str, logical_at: DateTime<Utc>) -> Result<Option<RunRow>, sqlx::Error> {
        sqlx::query_as("SELECT * FROM run WHERE dag = $1 AND logical_at = $2 ORDER BY made_at DESC LIMIT 1")
            .bind(dag)
            .bind(logical_at)
            .fetch_optional(&self.pool)
            .await
    }

    pub async fn tasks(&self, run_id: Uuid) -> Result<Vec<TaskRow>, sqlx::Error> {
        self.tasks_of(run_id, None).await
    }

    /// Some tasks of a run, by name.
    pub async fn tasks_named(&self, run_id: Uuid, names: &[String]) -> Result<Vec<TaskRow>, sqlx::Error> {
        if names.is_empty() {
            return Ok(vec![]);
        }
        self.tasks_of(run_id, Some(names)).await
    }

    async fn tasks_of(&self, run_id: Uuid, names: Option<&[String]>) -> Result<Vec<TaskRow>, sqlx::Error> {
        let statement = sqlx::query_as(include_str!("sql/tasks.sql"));
        statement.bind(run_id).bind(names).fetch_all(&self.pool).await
    }

    /// Who waits for whom, as the file says it: parent, child.
    pub async fn edges(&self, run_id: Uuid) -> Result<Vec<(String, String)>, sqlx::Error> {
        sqlx::query_as("SELECT parent, child FROM task_edge WHERE run_id = $1 AND NOT implied ORDER BY 1, 2")
            .bind(run_id)
            .fetch_all(&self.pool)
            .await
    }

    pub async fn attempts(&self, run_id: Uuid, task: &str) -> Result<Vec<AttemptRow>, sqlx::Error> {
        sqlx::query_as("SELECT * FROM attempt WHERE run_id = $1 AND task = $2 ORDER BY attempt")
            .bind(run_id)
            .bind(task)
            .fetch_all(&self.pool)
            .await
    }
}

pub(crate) fn parsed<T: std::str::FromStr<Err = String>>(
    row: &PgRow,
    column: &str,
) -> Result<T, sqlx::Error> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|cause: String| sqlx::Error::Decode(cause.into()))
}

impl<'r> FromRow<'r, PgRow> for RunRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            dag: row.try_get("dag")?,
            pipeline: row.try_get("pipeline")?,
            hash: row.try_get("hash")?,
            logical_at: row.try_get("logical_at")?,
            interval_start: row.try_get("interval_start")?,
            interval_end: row.try_get("interval_end")?,
            cause: row.try_get("cause")?,
            event: row.try_get("event")?,
            params: row.try_get("params")?,
            state: parsed(row, "state")?,
            reason: row.try_get("reason")?,
            made_at: row.try_get("made_at")?,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}

impl<'r> FromRow<'r, PgRow> for TaskRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            name: row.try_get("name")?,
            kind: row.try_get("kind")?,
            state: parsed(row, "state")?,
            attempt: row.try_get("attempt")?,
            scheduled_at: row.try_get("scheduled_at")?,
            queued_at: row.try_get("queued_at")?,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
            ready_at: row.try_get("ready_at")?,
            deferred: row.try_get("deferred")?,
            result: row.try_get("result")?,
            reason: row.try_get("reason")?,
            map_of: row.try_get("map_of")?,
        })
    }
}

impl<'r> FromRow<'r, PgRow> for AttemptRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            attempt: row.try_get("attempt")?,
            state: row.try_get("state")?,
            reason: row.try_get("reason")?,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}

impl<'r> FromRow<'r, PgRow> for Notice {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            at: row.try_get("at")?,
            kind: row.try_get("kind")?,
            task: row.try_get("task")?,
            text: row.try_get("text")?,
        })
    }
}
