//! The DAGs that are known, and when they are due.

use crate::{NewRun, Queue, finish, run};
use chrono::{DateTime, Utc};
use sqlx::{FromRow, Row, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;

/// A DAG as the database has it.
#[derive(Clone, Debug, PartialEq)]
pub struct DagRow {
    pub name: String,
    pub pipeline: String,
    pub hash: String,
    pub paused: bool,
    /// When it was first published.
    pub first_at: DateTime<Utc>,
    /// The logical time of the newest scheduled run.
    pub last_logical: Option<DateTime<Utc>>,
    /// When to look whether it is due.
    pub next_at: Option<DateTime<Utc>>,
    /// When a pause ended for the last time.
    pub unpaused_at: Option<DateTime<Utc>>,
}

impl<'r> FromRow<'r, PgRow> for DagRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            name: row.try_get("name")?,
            pipeline: row.try_get("pipeline")?,
            hash: row.try_get("hash")?,
            paused: row.try_get("paused")?,
            first_at: row.try_get("first_at")?,
            last_logical: row.try_get("last_logical")?,
            next_at: row.try_get("next_at")?,
            unpaused_at: row.try_get("unpaused_at")?,
        })
    }
}

/// What is due is looked at in parts: each part is in memory, and the others' turn comes between.
const DUE_MAX: i64 = 1_000;

impl Queue {
    /// All DAGs that are not retired, by name.
    pub async fn dags(&self) -> Result<Vec<DagRow>, sqlx::Error> {
        sqlx::query_as("SELECT * FROM dag WHERE NOT retired ORDER BY name").fetch_all(&self.pool).await
    }

    /// Makes a pipeline's DAGs known, and retires those that it no longer has. A changed one is looked at at once.
    pub async fn publish_dags(
        &self,
        pipeline: &str,
        hash: &str,
        dags: &[(String, bool)],
    ) -> Result<(), sqlx::Error> {
        let (names, paused): (Vec<String>, Vec<bool>) = dags.iter().cloned().unzip();
        let mut transaction = self.pool.begin().await?;
        sqlx::query(include_str!("sql/publish_dags.sql"))
            .bind(pipeline)
            .bind(hash)
            .bind(&names)
            .bind(paused)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE dag SET retired = true WHERE pipeline = $1 AND name <> ALL ($2)")
            .bind(pipeline)
            .bind(&names)
            .execute(&mut *transaction)
            .await?;
        finish::notify_chores(&mut transaction).await?;
        transaction.commit().await
    }

    /// DAGs to look at now, [`DUE_MAX`] at most, and the database's time.
    pub async fn due(&self) -> Result<(Vec<DagRow>, DateTime<Utc>), sqlx::Error> {
        let statement = "SELECT * FROM dag WHERE NOT retired AND NOT paused AND next_at <= now() ORDER BY next_at LIMIT $1";
        let dags = sqlx::query_as(statement).bind(DUE_MAX).fetch_all(&self.pool).await?;
        let now =
            sqlx::query("SELECT clock_timestamp() AS now").fetch_one(&self.pool).await?.try_get("now")?;
        Ok((dags, now))
    }

    /// Makes the runs that are due and remembers when to look again, as one. Answers how many are new; `None` where another
    /// scheduler was quicker.
    pub async fn fire(
        &self,
        dag: &DagRow,
        runs: &[NewRun],
        next_at: Option<DateTime<Utc>>,
    ) -> Result<Option<u64>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let last = runs.iter().map(|run| run.logical_at).max().or(dag.last_logical);
        let ours = sqlx::query(
            "UPDATE dag SET last_logical = $2, next_at = $3 WHERE name = $1 AND next_at = $4 AND NOT paused",
        )
        .bind(&dag.name)
        .bind(last)
        .bind(next_at)
        .bind(dag.next_at)
        .execute(&mut *transaction)
        .await?
        .rows_affected()
            > 0;
        if !ours {
            return Ok(None);
        }
        let mut made = 0;
        for new in runs {
            made += u64::from(run::create(&mut transaction, new).await?.1);
        }
        transaction.commit().await?;
        Ok(Some(made))
    }

    /// Ends scheduled runs of a DAG that still wait for a place longer than `age` after they were due. `why` is told when that was.
    pub async fn end_stale(
        &self,
        dag: &str,
        age: Duration,
        why: impl Fn(DateTime<Utc>) -> String,
    ) -> Result<usize, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let stale: Vec<(Uuid, DateTime<Utc>)> = sqlx::query_as(include_str!("sql/stale.sql"))
            .bind(dag)
            .bind(age.as_secs_f64())
            .fetch_all(&mut *transaction)
            .await?;
        for (run_id, due_at) in &stale {
            run::skip(&mut transaction, *run_id, &why(*due_at)).await?;
        }
        transaction.commit().await?;
        Ok(stale.len())
    }
}
