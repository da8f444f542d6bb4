//! The DAGs that are known, and when they are due.

use crate::{NewRun, Queue, make, run, tell};
use chrono::{DateTime, Utc};
use model::{Break, Guards};
use sqlx::{Acquire, FromRow, PgConnection, Row, postgres::PgRow};
use std::{collections::BTreeSet, time::Duration};
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
    /// Where the interval of that run ends.
    pub last_end: Option<DateTime<Utc>>,
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
            last_end: row.try_get("last_end")?,
            next_at: row.try_get("next_at")?,
            unpaused_at: row.try_get("unpaused_at")?,
        })
    }
}

/// A DAG that was looked at.
#[derive(Clone, Debug)]
pub struct Fired<'a> {
    /// As it was when it was looked at.
    pub dag: &'a DagRow,
    pub runs: Vec<NewRun>,
    /// When to look again.
    pub next_at: Option<DateTime<Utc>>,
}

/// What is due is looked at in parts: each part is in memory, and the others' turn comes between.
const DUE_MAX: i64 = 1_000;

impl Queue {
    /// All DAGs that are not retired, by name.
    pub async fn dags(&self) -> Result<Vec<DagRow>, sqlx::Error> {
        sqlx::query_as("SELECT * FROM dag WHERE NOT retired ORDER BY name").fetch_all(&self.pool).await
    }

    /// A DAG that is not retired.
    pub async fn dag(&self, name: &str) -> Result<Option<DagRow>, sqlx::Error> {
        // PostgreSQL has no text with a NUL, and would say so instead.
        if name.contains('\0') {
            return Ok(None);
        }
        let statement = "SELECT * FROM dag WHERE name = $1 AND NOT retired";
        sqlx::query_as(statement).bind(name).fetch_optional(&self.pool).await
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
        tell::chores(&mut transaction).await?;
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
        let fired = self.fire_all(&[Fired { dag, runs: runs.to_vec(), next_at }]).await?;
        Ok(fired.into_iter().next().flatten())
    }

    /// The same for many DAGs, all or none.
    pub async fn fire_all(&self, fired: &[Fired<'_>]) -> Result<Vec<Option<u64>>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let ours = move_on(&mut transaction, self.guards, fired).await?;
        let of_ours = fired.iter().filter(|fired| ours.contains(&fired.dag.name));
        let runs: Vec<&NewRun> = of_ours.flat_map(|fired| &fired.runs).collect();
        let (made, tidings) = make::create_all(&mut transaction, self.guards, &runs).await?;
        transaction.commit().await?;
        tidings.tell_after(&mut connection, None).await;
        let mut made = made.into_iter();
        let mut count =
            |fired: &Fired| made.by_ref().take(fired.runs.len()).filter(|(_, new)| *new).count() as u64;
        Ok(fired.iter().map(|fired| ours.contains(&fired.dag.name).then(|| count(fired))).collect())
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

/// Remembers when to look again. Answers the DAGs that nobody else has looked at since.
async fn move_on(
    connection: &mut PgConnection,
    guards: Guards,
    fired: &[Fired<'_>],
) -> Result<BTreeSet<String>, sqlx::Error> {
    let last = |fired: &Fired| {
        let newest = fired.runs.iter().max_by_key(|run| run.logical_at);
        let end = |run: &NewRun| (Some(run.logical_at), run.interval.map(|(_, end)| end));
        newest.map_or((fired.dag.last_logical, fired.dag.last_end), end)
    };
    let (last, end): (Vec<_>, Vec<_>) = fired.iter().map(last).unzip();
    let rows = sqlx::query(include_str!("sql/move_on.sql"))
        .bind(fired.iter().map(|fired| &*fired.dag.name).collect::<Vec<_>>())
        .bind(last)
        .bind(end)
        .bind(fired.iter().map(|fired| fired.next_at).collect::<Vec<_>>())
        .bind(fired.iter().map(|fired| fired.dag.next_at).collect::<Vec<_>>())
        .bind(guards.lack(Break::NoRunKey))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| row.try_get("name")).collect()
}
