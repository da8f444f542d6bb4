//! Ranges of due times that a person asked for.
//!
//! The runs of a range are made in one transaction, by a handful of statements. They are admitted in a lane of their own, and
//! their tasks come after all others, so that nothing that is due now waits for them.

mod row;

pub use row::{BackfillRow, Counts};

use crate::{
    NewRun, Queue,
    act::{By, On, record},
    clear::clear,
    make, run,
};
use chrono::{DateTime, Utc};
use model::RunState;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A range to run.
#[derive(Clone, Debug)]
pub struct NewBackfill {
    pub dag: String,
    pub from: DateTime<Utc>,
    /// Included.
    pub to: DateTime<Utc>,
    pub reprocess: Reprocess,
    /// Of its runs, so many are open at once.
    pub max_active: u32,
}

/// Which of the runs that were there run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reprocess {
    #[default]
    None,
    /// Those that failed or were cancelled: their tasks that did not succeed.
    Failed,
    /// All that have ended, whole; a run that was forgotten is made anew.
    All,
}

impl Reprocess {
    pub fn as_str(self) -> &'static str {
        match self {
            Reprocess::None => "none",
            Reprocess::Failed => "failed",
            Reprocess::All => "all",
        }
    }

    /// Whether a run that is there in this state (none where it was forgotten) runs again.
    pub fn takes(self, state: Option<RunState>) -> bool {
        match (self, state) {
            (Reprocess::None, _) => false,
            (Reprocess::Failed, state) => matches!(state, Some(RunState::Failed | RunState::Cancelled)),
            (Reprocess::All, state) => state.is_none_or(RunState::is_final),
        }
    }
}

/// The run that has a key: its id and its state, none where it was forgotten.
pub type There = BTreeMap<String, (Uuid, Option<RunState>)>;

/// What a backfill did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backfilled {
    /// None where there was nothing to do.
    pub id: Option<Uuid>,
    /// The keys whose runs are new.
    pub made: Vec<String>,
    /// How many run again.
    pub again: usize,
}

impl Queue {
    /// The runs that are there for some keys.
    pub async fn there(&self, keys: &[String]) -> Result<There, sqlx::Error> {
        there(&mut *self.pool.acquire().await?, keys).await
    }

    /// Makes the runs of a range that are not there, and clears those that are to run again. `runs` differ in key, logical time
    /// and interval alone.
    pub async fn backfill(
        &self,
        asked: &NewBackfill,
        runs: &[NewRun],
        by: &By,
    ) -> Result<Backfilled, sqlx::Error> {
        let Some(first) = runs.first() else { return Ok(Backfilled::default()) };
        let mut transaction = self.pool.begin().await?;
        let connection = &mut *transaction;
        let keys: Vec<String> = runs.iter().map(|run| run.key.clone()).collect();
        let before = there(connection, &keys).await?;
        let id = Uuid::now_v7();
        insert(connection, id, asked, by).await?;
        let made = insert_runs(connection, id, asked.reprocess, runs, first).await?;
        let again = reprocess(connection, id, asked.reprocess, &before, by).await?;
        if made.is_empty() && again == 0 {
            // Dropped, the transaction leaves nothing.
            return Ok(Backfilled::default());
        }
        let detail = json!({ "backfill": id, "from": asked.from, "to": asked.to, "reprocess": asked.reprocess, "made": made.len(), "again": again });
        record(connection, by, "backfill", On::dag(&asked.dag), detail).await?;
        admit(connection).await?;
        transaction.commit().await?;
        Ok(Backfilled { id: Some(id), made, again })
    }

    /// Holds back the queued runs of a backfill, or lets them go on. Answers whether there is one that was not cancelled.
    pub async fn pause_backfill(&self, id: Uuid, paused: bool, by: &By) -> Result<bool, sqlx::Error> {
        let state = if paused { "paused" } else { "running" };
        let mut transaction = self.pool.begin().await?;
        let dag = set_state(&mut transaction, id, state).await?;
        if let Some(dag) = &dag {
            let what = if paused { "pause" } else { "unpause" };
            record(&mut transaction, by, what, On::dag(dag), json!({ "backfill": id })).await?;
            admit(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(dag.is_some())
    }

    /// Cancels a backfill and its open runs. Answers how many runs, where there is one that was not cancelled.
    pub async fn cancel_backfill(&self, id: Uuid, by: &By) -> Result<Option<usize>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let Some(dag) = set_state(&mut transaction, id, "cancelled").await? else { return Ok(None) };
        let open: Vec<(Uuid,)> = sqlx::query_as(
            "SELECT id FROM run WHERE backfill = $1 AND state IN ('queued', 'running') ORDER BY id",
        )
        .bind(id)
        .fetch_all(&mut *transaction)
        .await?;
        let reason = by.sentence("the backfill was cancelled");
        for (run_id,) in &open {
            run::end(&mut transaction, *run_id, RunState::Cancelled, &reason).await?;
        }
        let detail = json!({ "backfill": id, "runs": open.len() });
        record(&mut transaction, by, "cancel", On::dag(&dag), detail).await?;
        transaction.commit().await?;
        Ok(Some(open.len()))
    }

    /// Starts queued runs of backfills, as far as each allows. Answers how many.
    pub async fn admit_backfills(&self) -> Result<usize, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let admitted = admit(&mut transaction).await?;
        transaction.commit().await?;
        Ok(admitted)
    }
}

async fn there(connection: &mut PgConnection, keys: &[String]) -> Result<There, sqlx::Error> {
    let rows = sqlx::query(include_str!("sql/there.sql")).bind(keys).fetch_all(connection).await?;
    let state = |text: Option<String>| text.map(|text| text.parse()).transpose();
    rows.iter()
        .map(|row| {
            let state =
                state(row.try_get("state")?).map_err(|cause: String| sqlx::Error::Decode(cause.into()))?;
            Ok((row.try_get("key")?, (row.try_get("run_id")?, state)))
        })
        .collect()
}

async fn insert(
    connection: &mut PgConnection,
    id: Uuid,
    asked: &NewBackfill,
    by: &By,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO backfill (id, dag, from_at, to_at, reprocess, max_active, who, why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(id)
        .bind(&asked.dag)
        .bind(asked.from)
        .bind(asked.to)
        .bind(asked.reprocess.as_str())
        .bind(i32::try_from(asked.max_active).unwrap_or(i32::MAX))
        .bind(&by.who)
        .bind(&by.why)
        .execute(connection)
        .await
        .map(drop)
}

/// Answers the keys of the runs that are new.
async fn insert_runs(
    connection: &mut PgConnection,
    id: Uuid,
    reprocess: Reprocess,
    runs: &[NewRun],
    first: &NewRun,
) -> Result<Vec<String>, sqlx::Error> {
    let named: Vec<(Uuid, &NewRun)> = runs.iter().map(|run| (Uuid::now_v7(), run)).collect();
    let asked = named.iter().map(|(id, run)| {
        let (start, end) = run.interval.unzip();
        json!({ "id": id, "key": run.key, "logical_at": run.logical_at, "interval_start": start, "interval_end": end })
    });
    let same = json!({
        "dag": first.dag, "pipeline": first.pipeline, "hash": first.hash, "tasks_left": first.tasks.len(),
        "params": first.params, "max_active_runs": first.max_active_runs, "timeout_seconds": first.timeout_seconds,
        "expected_in": first.expected_in_seconds,
    });
    let made: Vec<(Uuid,)> = sqlx::query_as(include_str!("sql/insert_runs.sql"))
        .bind(asked.collect::<Value>())
        .bind(id)
        .bind(same)
        .bind(reprocess == Reprocess::All)
        .fetch_all(&mut *connection)
        .await?;
    let made: Vec<Uuid> = made.into_iter().map(|(id,)| id).collect();
    make::insert_tasks(connection, &made, first).await?;
    Ok(named.iter().filter(|(id, _)| made.contains(id)).map(|(_, run)| run.key.clone()).collect())
}

/// Clears the runs that were there and are to run again; they become the backfill's. Answers how many.
async fn reprocess(
    connection: &mut PgConnection,
    id: Uuid,
    which: Reprocess,
    there: &There,
    by: &By,
) -> Result<usize, sqlx::Error> {
    let again = there.values().filter(|(_, state)| state.is_some() && which.takes(*state));
    let mut count = 0;
    for (run_id, _) in again {
        run::lock(connection, *run_id).await?;
        if clear(connection, *run_id, None, which == Reprocess::Failed, None, by).await? > 0 {
            sqlx::query("UPDATE run SET backfill = $2 WHERE id = $1")
                .bind(run_id)
                .bind(id)
                .execute(&mut *connection)
                .await?;
            count += 1;
        }
    }
    Ok(count)
}

async fn set_state(
    connection: &mut PgConnection,
    id: Uuid,
    state: &str,
) -> Result<Option<String>, sqlx::Error> {
    let statement = "UPDATE backfill SET state = $2 WHERE id = $1 AND state <> 'cancelled' RETURNING dag";
    let row = sqlx::query(statement).bind(id).bind(state).fetch_optional(connection).await?;
    row.map(|row| row.try_get("dag")).transpose()
}

/// Of all backfills, one look starts so many runs: what more there is is started by the next one.
const ADMITTED_MAX: i64 = 100;

async fn admit(connection: &mut PgConnection) -> Result<usize, sqlx::Error> {
    // Two schedulers that admit at once must not both see the last free place.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('admit backfills'))")
        .execute(&mut *connection)
        .await?;
    let admitted = sqlx::query(include_str!("sql/admit_backfills.sql"))
        .bind(ADMITTED_MAX)
        .fetch_all(&mut *connection)
        .await?;
    make::begin(connection, &admitted).await?.tell(connection, None).await?;
    Ok(admitted.len())
}
