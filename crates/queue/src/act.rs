//! What people do to runs and tasks by hand. Each act is written down with who and why, in the transaction of its effect.

use crate::{NewRun, Queue, Renewed, judge, make, renew, run, run::lock, setups::TakenDown, tell};
use chrono::{DateTime, Utc};
use model::{RunState, TaskState};
use pipeline::graph;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Acquire, FromRow, PgConnection, Row, postgres::PgRow};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Who acts, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct By {
    pub who: String,
    pub why: Option<String>,
}

/// Which tasks of a run are to run again.
#[derive(Clone, Debug, PartialEq)]
pub struct Clear {
    /// All, where absent.
    pub tasks: Option<Vec<String>>,
    /// Also what waits for them, and what they wait for, at any distance.
    pub downstream: bool,
    pub upstream: bool,
    /// Only those that did not succeed.
    pub only_failed: bool,
}

impl Clear {
    /// All that did not succeed.
    pub fn failed() -> Self {
        Self { tasks: None, downstream: false, upstream: false, only_failed: true }
    }
}

/// An act as it was written down.
#[derive(Clone, Debug, Serialize)]
pub struct ActionRow {
    pub id: i64,
    #[serde(serialize_with = "crate::micros::at")]
    pub at: DateTime<Utc>,
    pub who: String,
    pub what: String,
    pub why: Option<String>,
    pub dag: String,
    pub run_id: Option<Uuid>,
    pub task: Option<String>,
    pub detail: Option<Value>,
}

impl Queue {
    /// Makes a run by hand, or finds the one that has its key. Answers its id and whether it is new.
    pub async fn trigger(&self, new: &NewRun, by: &By) -> Result<(Uuid, bool), sqlx::Error> {
        Ok(self.trigger_all(&[(new, by)], None).await?[0])
    }

    /// Makes runs by hand, all or none: they wait for the disk together. Answers in their order. `holder` looks for tasks of its own accord
    /// then, and need not be told.
    pub async fn trigger_all(
        &self,
        asked: &[(&NewRun, &By)],
        holder: Option<&str>,
    ) -> Result<Vec<(Uuid, bool)>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let runs: Vec<&NewRun> = asked.iter().map(|(run, _)| *run).collect();
        let (made, tidings) = make::create_all(&mut transaction, self.guards, &runs).await?;
        let new = asked.iter().zip(&made).filter(|(_, (_, new))| *new);
        record_triggers(&mut transaction, &new.map(|(asked, (id, _))| (*asked, *id)).collect::<Vec<_>>())
            .await?;
        transaction.commit().await?;
        tidings.tell_later(connection, holder.map(str::to_owned));
        Ok(made)
    }

    /// Pauses a DAG, or lets it go on; then it is looked at at once. Answers whether there is such a DAG.
    pub async fn pause(&self, dag: &str, paused: bool, by: &By) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let statement = "UPDATE dag SET paused = $2, next_at = CASE WHEN $2 THEN next_at ELSE now() END, \
             unpaused_at = CASE WHEN paused AND NOT $2 THEN now() ELSE unpaused_at END WHERE name = $1 AND NOT retired";
        let known =
            sqlx::query(statement).bind(dag).bind(paused).execute(&mut *transaction).await?.rows_affected()
                > 0;
        if known {
            let what = if paused { "pause" } else { "unpause" };
            record(&mut transaction, by, what, On::dag(dag), Value::Null).await?;
            tell::chores(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(known)
    }

    /// Cancels an open run. Answers whether it was open.
    pub async fn cancel(&self, run_id: Uuid, by: &By) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let reason = by.sentence("cancelled");
        let ended = run::end(&mut transaction, run_id, RunState::Cancelled, &reason).await?;
        if let Some(dag) = &ended {
            record(&mut transaction, by, "cancel", On::run(dag, run_id), Value::Null).await?;
        }
        transaction.commit().await?;
        Ok(ended.is_some())
    }

    /// Lets tasks of a run run again; what is running of them is stopped. Answers how many.
    pub async fn clear(&self, run_id: Uuid, which: &Clear, by: &By) -> Result<u64, sqlx::Error> {
        let names = self.named(run_id, which).await?;
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, run_id).await?;
        let cleared = clear(&mut transaction, run_id, &names, which.only_failed, by).await?;
        transaction.commit().await?;
        Ok(cleared)
    }

    /// The same, and the run goes on with the newest version of its DAG, in one transaction.
    pub async fn clear_with(
        &self,
        run_id: Uuid,
        which: &Clear,
        newest: &NewRun,
        by: &By,
    ) -> Result<Renewed, sqlx::Error> {
        let names = self.named(run_id, which).await?;
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, run_id).await?;
        if let Some(why) = renew::unfit(&mut transaction, run_id, newest).await? {
            return Ok(Renewed::Unfit(why));
        }
        let (names, only_failed) = (&names, which.only_failed);
        let cleared = clear_as(&mut transaction, run_id, names, only_failed, Some(newest), by).await?;
        transaction.commit().await?;
        Ok(Renewed::Cleared(cleared))
    }

    /// The tasks that a clear means by name; none where it means all.
    async fn named(&self, run_id: Uuid, which: &Clear) -> Result<Option<Vec<String>>, sqlx::Error> {
        Ok(match &which.tasks {
            Some(tasks) => Some(around(&self.edges(run_id).await?, tasks, which.downstream, which.upstream)),
            None => None,
        })
    }

    /// Gives a task an end that people decide; what runs of it is stopped, and its answer refused. An ended run is judged anew by
    /// its leaves. Answers whether there is such a task.
    pub async fn mark(
        &self,
        run_id: Uuid,
        task: &str,
        state: TaskState,
        by: &By,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, run_id).await?;
        let row = sqlx::query(include_str!("sql/mark.sql"))
            .bind(run_id)
            .bind(task)
            .bind(state.as_str())
            .bind(by.sentence(&format!("marked {state}")))
            .fetch_one(&mut *transaction)
            .await?;
        let marked = row.try_get::<i64, _>("marked")? > 0;
        if marked {
            let dag = go_on(&mut transaction, run_id, JUDGE_AGAIN).await?;
            let detail = json!({ "state": state });
            let on = On { task: Some(task), ..On::run(&dag, run_id) };
            record(&mut transaction, by, "mark", on, detail).await?;
            tell::stop(&mut transaction, run_id).await?;
        }
        transaction.commit().await?;
        Ok(marked)
    }

    /// Answers the question of an `approve` task: yes is its success, no its failure. Answers whether it was asking.
    pub async fn decide(&self, run_id: Uuid, task: &str, yes: bool, by: &By) -> Result<bool, sqlx::Error> {
        let (state, what) = if yes { (TaskState::Success, "approve") } else { (TaskState::Failed, "reject") };
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, run_id).await?;
        let row = sqlx::query(include_str!("sql/decide.sql"))
            .bind(run_id)
            .bind(task)
            .bind(state.as_str())
            .bind(by.sentence(if yes { "approved" } else { "rejected" }))
            .bind(json!({ "approved": yes, "who": by.who, "why": by.why }))
            .fetch_one(&mut *transaction)
            .await?;
        let asking = row.try_get::<i64, _>("decided")? > 0;
        if asking {
            let dag = go_on(&mut transaction, run_id, JUDGE_AGAIN).await?;
            let on = On { task: Some(task), ..On::run(&dag, run_id) };
            record(&mut transaction, by, what, on, Value::Null).await?;
        }
        transaction.commit().await?;
        Ok(asking)
    }

    /// What people did, the newest first: to a run, to a DAG, or to all.
    pub async fn actions(
        &self,
        dag: Option<&str>,
        run_id: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<ActionRow>, sqlx::Error> {
        self.actions_page(dag, run_id, None, limit).await
    }

    /// A page of them: only those that were done before the act `before`.
    pub async fn actions_page(
        &self,
        dag: Option<&str>,
        run_id: Option<Uuid>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<ActionRow>, sqlx::Error> {
        sqlx::query_as("SELECT * FROM action WHERE ($1::text IS NULL OR dag = $1) AND ($2::uuid IS NULL OR run_id = $2) AND ($3::bigint IS NULL OR id < $3) ORDER BY id DESC LIMIT $4")
            .bind(dag)
            .bind(run_id)
            .bind(before)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }

    /// Writes down an act that is done to no DAG: `on` says to what.
    pub async fn record_act(
        connection: &mut PgConnection,
        by: &By,
        what: &str,
        on: Value,
    ) -> Result<(), sqlx::Error> {
        record(connection, by, what, On::dag(""), on).await
    }
}

impl By {
    /// `cancelled by anna: wrong day`
    pub(crate) fn sentence(&self, what: &str) -> String {
        let why = self.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        format!("{what} by {}{why}", self.who)
    }
}

/// Clears tasks of a run that is locked: those of these names, or all; and the setups that they need again. Answers how many.
pub(crate) async fn clear(
    connection: &mut PgConnection,
    run_id: Uuid,
    names: &Option<Vec<String>>,
    only_failed: bool,
    by: &By,
) -> Result<u64, sqlx::Error> {
    clear_as(connection, run_id, names, only_failed, None, by).await
}

/// The same; with another version, what does not run and has not ended is as that one has it.
async fn clear_as(
    connection: &mut PgConnection,
    run_id: Uuid,
    names: &Option<Vec<String>>,
    only_failed: bool,
    newest: Option<&NewRun>,
    by: &By,
) -> Result<u64, sqlx::Error> {
    let taken_down = TakenDown::of(connection, run_id).await?;
    let mut cleared = clear_named(connection, run_id, names.as_deref(), only_failed).await?;
    let beside = taken_down.beside(&cleared);
    if !beside.is_empty() {
        cleared.extend(clear_named(connection, run_id, Some(&beside), false).await?);
    }
    if !cleared.is_empty() {
        let version = match newest {
            Some(newest) => Some(renew::renew(connection, run_id, newest).await?),
            None => None,
        };
        let dag = go_on(connection, run_id, REOPEN).await?;
        let mut detail = json!({ "tasks": names, "only_failed": only_failed, "cleared": cleared.len() });
        if let Some(version) = version {
            detail["version"] = version;
        }
        record(connection, by, "clear", On::run(&dag, run_id), detail).await?;
        tell::stop(connection, run_id).await?;
    }
    Ok(cleared.len() as u64)
}

/// Answers which tasks have been cleared.
async fn clear_named(
    connection: &mut PgConnection,
    run_id: Uuid,
    names: Option<&[String]>,
    only_failed: bool,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(include_str!("sql/clear.sql"))
        .bind(run_id)
        .bind(names)
        .bind(only_failed)
        .fetch_all(connection)
        .await
}

/// These tasks, and what waits for them or what they wait for, at any distance.
fn around(edges: &[(String, String)], tasks: &[String], downstream: bool, upstream: bool) -> Vec<String> {
    let mut found: BTreeSet<&str> = tasks.iter().map(String::as_str).collect();
    if downstream {
        found.extend(reach(tasks, edges.iter().map(|(parent, child)| (parent.as_str(), child.as_str()))));
    }
    if upstream {
        found.extend(reach(tasks, edges.iter().map(|(parent, child)| (child.as_str(), parent.as_str()))));
    }
    found.into_iter().map(str::to_owned).collect()
}

fn reach<'a>(tasks: &'a [String], steps: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeSet<&'a str> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in steps {
        next.entry(from).or_default().push(to);
    }
    graph::reach(tasks.iter().map(String::as_str), |at| next.get(at).into_iter().flatten().copied())
}

/// A cleared run goes on: at once where it is open, else when its DAG has a place for it.
const REOPEN: &str = include_str!("sql/reopen.sql");
/// What follows from a mark: a run that had ended ends as its leaves are now.
const JUDGE_AGAIN: &str = include_str!("sql/judge_again.sql");

/// Gives a run the state that `statement` finds for it, and judges the children of what has changed. Answers its DAG.
async fn go_on(
    connection: &mut PgConnection,
    run_id: Uuid,
    statement: &'static str,
) -> Result<String, sqlx::Error> {
    let row = sqlx::query(statement).bind(run_id).fetch_one(&mut *connection).await?;
    if row.try_get::<String, _>("state")? == RunState::Running.as_str() {
        judge::settle(connection, run_id).await?;
    }
    tell::run(connection, run_id).await?;
    row.try_get("dag")
}

async fn record_triggers(
    connection: &mut PgConnection,
    made: &[((&NewRun, &By), Uuid)],
) -> Result<(), sqlx::Error> {
    if made.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("sql/record_triggers.sql"))
        .bind(made.iter().map(|((_, by), _)| &*by.who).collect::<Vec<_>>())
        .bind(made.iter().map(|((_, by), _)| by.why.as_deref()).collect::<Vec<_>>())
        .bind(made.iter().map(|((run, _), _)| &*run.dag).collect::<Vec<_>>())
        .bind(made.iter().map(|(_, id)| *id).collect::<Vec<_>>())
        .bind(made.iter().map(|((run, _), _)| Value::Object(run.params.clone())).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
}

pub(crate) async fn record(
    connection: &mut PgConnection,
    by: &By,
    what: &str,
    on: On<'_>,
    detail: Value,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO action (who, what, why, dag, run_id, task, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&by.who)
    .bind(what)
    .bind(&by.why)
    .bind(on.dag)
    .bind(on.run_id)
    .bind(on.task)
    .bind(detail)
    .execute(connection)
    .await
    .map(drop)
}

/// What an act is done to.
pub(crate) struct On<'a> {
    dag: &'a str,
    run_id: Option<Uuid>,
    task: Option<&'a str>,
}

impl<'a> On<'a> {
    pub(crate) fn dag(dag: &'a str) -> Self {
        Self { dag, run_id: None, task: None }
    }

    pub(crate) fn run(dag: &'a str, run_id: Uuid) -> Self {
        Self { dag, run_id: Some(run_id), task: None }
    }
}

impl<'r> FromRow<'r, PgRow> for ActionRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            who: row.try_get("who")?,
            what: row.try_get("what")?,
            why: row.try_get("why")?,
            dag: row.try_get("dag")?,
            run_id: row.try_get("run_id")?,
            task: row.try_get("task")?,
            detail: row.try_get("detail")?,
        })
    }
}
