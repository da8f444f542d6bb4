//! What a run is made of, and its end before its time.

use crate::{Queue, tell};
use chrono::{DateTime, Utc};
use model::RunState;
use pipeline::{Dag, param};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// A run to make.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The identity: a second run with it is not made.
    pub key: String,
    pub dag: String,
    pub pipeline: String,
    pub hash: String,
    pub logical_at: DateTime<Utc>,
    /// From, and to before; `None` for a run that is for its logical time.
    pub interval: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Why it is told and not started.
    pub skipped: Option<String>,
    /// The records that it is for.
    pub event: Option<Value>,
    pub cause: Cause,
    pub timeout_seconds: Option<i64>,
    /// From its start; told once when it has not ended by then.
    pub expected_in_seconds: Option<f64>,
    pub max_active_runs: i64,
    /// Of the DAG's tasks, over all its runs, so many run at once.
    pub max_active_tasks: Option<i32>,
    /// A value for each parameter of the DAG.
    pub params: Map<String, Value>,
    pub tasks: Vec<NewTask>,
}

/// A task of a new run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewTask {
    pub name: String,
    pub kind: &'static str,
    pub rule: String,
    pub after: Vec<String>,
    /// Those of `after` that the file does not name: setups further up.
    pub implied: Vec<String>,
    /// The setups among `after` that decide whether this teardown runs.
    pub teardown_of: Vec<String>,
    pub pool: String,
    pub slots: u32,
    pub priority: i32,
    pub depends_on_past: bool,
    /// Seconds from the run's start.
    pub expected_in: Option<f64>,
}

/// Where what takes no slot is counted: tasks that only look.
const NO_POOL: &str = "-";
/// Tasks of a backfill come after all others, whatever priority people give.
const BACKFILL_BELOW: i32 = 1_000_000;

impl NewTask {
    fn of(task: &pipeline::Task, needed: Vec<String>, cause: Cause) -> Self {
        let rule = serde_json::to_value(task.trigger_rule).ok();
        // A task with items makes their rows, and looks when they have ended: that takes no slot.
        let (kind, (pool, slots)) = match task.foreach {
            Some(_) => ("foreach", (NO_POOL.to_owned(), 0)),
            None => (task.kind.word(), place(task)),
        };
        let below = if cause == Cause::Backfill { BACKFILL_BELOW } else { 0 };
        Self {
            name: task.name.clone(),
            kind,
            rule: rule.and_then(|rule| rule.as_str().map(str::to_owned)).unwrap_or_default(),
            after: task.after.iter().chain(&needed).cloned().collect(),
            implied: needed,
            teardown_of: task.teardown.clone(),
            pool,
            slots,
            priority: task.priority.saturating_sub(below),
            depends_on_past: task.depends_on_past,
            expected_in: task.deadline.map(|deadline| deadline.as_secs_f64()),
        }
    }
}

/// Where a task counts, and how many slots it takes there.
pub(crate) fn place(task: &pipeline::Task) -> (String, u32) {
    if task.kind.only_looks() { (NO_POOL.into(), 0) } else { (task.pool.clone(), task.slots) }
}

/// Why a run is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Schedule,
    /// A due time that has passed, asked for by a person.
    Backfill,
    Manual,
    /// A task of another run.
    Task,
    /// Another DAG's success.
    After,
    /// Records in Kafka.
    Kafka,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Schedule => "schedule",
            Cause::Backfill => "backfill",
            Cause::Manual => "manual",
            Cause::Task => "task",
            Cause::After => "after",
            Cause::Kafka => "kafka",
        }
    }
}

impl NewRun {
    /// A run of `dag` as the version `hash` of its pipeline has it.
    pub fn of(
        dag: &Dag,
        pipeline: &str,
        hash: &str,
        key: String,
        logical_at: DateTime<Utc>,
        cause: Cause,
    ) -> Self {
        Self {
            key,
            dag: dag.name.clone(),
            pipeline: pipeline.to_owned(),
            hash: hash.to_owned(),
            logical_at,
            interval: None,
            skipped: None,
            event: None,
            cause,
            timeout_seconds: dag.settings.timeout.map(|timeout| timeout.as_secs() as i64),
            expected_in_seconds: dag.settings.deadline.map(|deadline| deadline.as_secs_f64()),
            max_active_runs: i64::from(dag.settings.max_active_runs),
            max_active_tasks: dag.settings.max_active_tasks.map(|max| max as i32),
            // A DAG whose parameters have no defaults is run by hand only, with values.
            params: param::fill(&dag.settings.params, &Map::new()).unwrap_or_default(),
            tasks: tasks(dag, cause),
        }
    }
}

fn tasks(dag: &Dag, cause: Cause) -> Vec<NewTask> {
    let setups = dag.needed_setups();
    let needed = |task: &str| setups.get(task).into_iter().flatten().map(|name| (*name).to_owned()).collect();
    dag.tasks.values().map(|task| NewTask::of(task, needed(&task.name), cause)).collect()
}

impl Queue {
    /// Ends an open run before its time: tasks that have not ended are removed, and answers that still come are refused.
    pub async fn end(&self, run_id: Uuid, state: RunState, reason: &str) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let ended = end(&mut transaction, run_id, state, reason).await?;
        transaction.commit().await?;
        Ok(ended.is_some())
    }
}

/// Answers the run's DAG where it was open.
pub(crate) async fn end(
    connection: &mut PgConnection,
    run_id: Uuid,
    state: RunState,
    reason: &str,
) -> Result<Option<String>, sqlx::Error> {
    let ended = sqlx::query("UPDATE run SET state = $2, reason = $3, ended_at = now(), tasks_left = 0 WHERE id = $1 AND state IN ('queued', 'running') RETURNING dag")
        .bind(run_id)
        .bind(state.as_str())
        .bind(reason)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = ended else { return Ok(None) };
    sqlx::query(include_str!("sql/remove_open_tasks.sql"))
        .bind(run_id)
        .bind(reason)
        .execute(&mut *connection)
        .await?;
    tell::run(connection, run_id).await?;
    tell::stop(connection, run_id).await?;
    tell::chores(connection).await?;
    row.try_get("dag").map(Some)
}

/// One writer at a time per run: parents that finish together must not deadlock on their children. The weaker lock lets a claim
/// write what refers to the run meanwhile: with the stronger one, a claim and a mark could wait for each other.
pub(crate) async fn lock(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT FROM run WHERE id = $1 FOR NO KEY UPDATE")
        .bind(run_id)
        .execute(connection)
        .await
        .map(drop)
}

/// Tells a run that it is too late for, instead of starting it.
pub(crate) async fn skip(
    connection: &mut PgConnection,
    run_id: Uuid,
    reason: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE run SET stale = true WHERE id = $1").bind(run_id).execute(&mut *connection).await?;
    end(connection, run_id, RunState::Cancelled, reason).await.map(drop)
}
