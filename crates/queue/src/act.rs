//! What people do to runs and tasks by hand. Each act is written down with who and why, in the transaction of its effect.

use crate::{NewRun, Queue, judge, make, run, run::lock, tell};
use chrono::{DateTime, Utc};
use model::{RunState, TaskState};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Acquire, FromRow, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

/// Who acts, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct By {
    pub who: String,
    pub why: Option<String>,
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

/// What follows from a mark: a run that had ended ends as its leaves are now.
const JUDGE_AGAIN: &str = include_str!("sql/judge_again.sql");

/// Gives a run the state that `statement` finds for it, and judges the children of what has changed. Answers its DAG.
pub(crate) async fn go_on(
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
