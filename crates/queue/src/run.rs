//! Making runs, admitting them and ending them.

use crate::{Queue, finish};
use chrono::{DateTime, Utc};
use model::{RunState, TaskState};
use pipeline::{Dag, param};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{PgConnection, Row, postgres::PgRow};
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
#[derive(Clone, Debug, Serialize)]
pub struct NewTask {
    pub name: String,
    pub kind: &'static str,
    pub rule: String,
    pub after: Vec<String>,
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
    fn of(task: &pipeline::Task, cause: Cause) -> Self {
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
            after: task.after.clone(),
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
            tasks: dag.tasks.values().map(|task| NewTask::of(task, cause)).collect(),
        }
    }
}

impl Queue {
    /// Makes a run, or finds the one that has its key. Answers its id and whether it is new.
    pub async fn create(&self, new: &NewRun) -> Result<(Uuid, bool), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let made = create(&mut transaction, new).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// Starts queued runs of a DAG as far as `max_active_runs` allows. Answers how many.
    pub async fn admit(&self, dag: &str, max_active_runs: i64) -> Result<u64, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let admitted = admit(&mut transaction, dag, max_active_runs).await?;
        transaction.commit().await?;
        Ok(admitted)
    }

    /// DAGs with queued runs: name, the pipeline and version of the oldest of them, and whether these are of a backfill.
    pub async fn waiting_dags(&self) -> Result<Vec<(String, String, String, bool)>, sqlx::Error> {
        let statement = "SELECT DISTINCT ON (dag, backfill IS NOT NULL) dag, pipeline, hash, backfill IS NOT NULL FROM run \
             WHERE state = 'queued' ORDER BY dag, backfill IS NOT NULL, logical_at, made_at";
        sqlx::query_as(statement).fetch_all(&self.pool).await
    }

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
    finish::notify(connection, run_id).await?;
    finish::notify_stop(connection, run_id).await?;
    finish::notify_chores(connection).await?;
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

pub(crate) async fn create(connection: &mut PgConnection, new: &NewRun) -> Result<(Uuid, bool), sqlx::Error> {
    let id = Uuid::now_v7();
    let fresh = sqlx::query("INSERT INTO run_key (key, run_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(&new.key)
        .bind(id)
        .execute(&mut *connection)
        .await?
        .rows_affected()
        > 0;
    if !fresh {
        let known = sqlx::query("SELECT run_id FROM run_key WHERE key = $1")
            .bind(&new.key)
            .fetch_one(connection)
            .await?;
        return Ok((known.try_get("run_id")?, false));
    }
    sqlx::query(include_str!("sql/insert_run.sql"))
        .bind(id)
        .bind(&new.dag)
        .bind(&new.pipeline)
        .bind(&new.hash)
        .bind(new.logical_at)
        .bind(new.cause.as_str())
        .bind(new.tasks.len() as i32)
        .bind(Value::Object(new.params.clone()))
        .bind(new.max_active_runs as i32)
        .bind(new.timeout_seconds)
        .bind(new.expected_in_seconds)
        .bind(new.interval.map(|(from, _)| from))
        .bind(new.interval.map(|(_, to)| to))
        .bind(&new.event)
        .execute(&mut *connection)
        .await?;
    insert_tasks(connection, &[id], new).await?;
    match &new.skipped {
        Some(reason) => skip(connection, id, reason).await?,
        None => drop(admit(connection, &new.dag, new.max_active_runs).await?),
    }
    finish::notify(connection, id).await?;
    Ok((id, true))
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

/// Makes the tasks of `new` in each of these runs.
pub(crate) async fn insert_tasks(
    connection: &mut PgConnection,
    run_ids: &[Uuid],
    new: &NewRun,
) -> Result<(), sqlx::Error> {
    sqlx::query(include_str!("sql/insert_tasks.sql"))
        .bind(run_ids)
        .bind(&new.dag)
        .bind(TaskState::Waiting.as_str())
        .bind(new.max_active_tasks)
        .bind(serde_json::to_value(&new.tasks).unwrap_or_default())
        .execute(connection)
        .await
        .map(drop)
}

async fn admit(connection: &mut PgConnection, dag: &str, max_active_runs: i64) -> Result<u64, sqlx::Error> {
    // Two schedulers that admit at once must not both see the last free place.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('admit ' || $1))")
        .bind(dag)
        .execute(&mut *connection)
        .await?;
    let admitted = sqlx::query(include_str!("sql/admit.sql"))
        .bind(dag)
        .bind(max_active_runs)
        .fetch_all(&mut *connection)
        .await?;
    begin(connection, &admitted).await?;
    Ok(admitted.len() as u64)
}

/// Makes ready what may begin in runs that were admitted: rows of `id`, and whether it was `again`.
pub(crate) async fn begin(connection: &mut PgConnection, admitted: &[PgRow]) -> Result<(), sqlx::Error> {
    for row in admitted {
        let run_id: Uuid = row.try_get("id")?;
        sqlx::query(include_str!("sql/ready_roots.sql")).bind(run_id).execute(&mut *connection).await?;
        if row.try_get("again")? {
            // A cleared run goes on in its middle.
            finish::settle(connection, run_id).await?;
        }
        finish::end_if_done(connection, run_id).await?;
        finish::notify(connection, run_id).await?;
    }
    Ok(())
}
