//! What each kind of task does.

mod arrived;
pub mod branch;
mod check;
mod command;
mod dead;
mod fetch;
mod http;
mod other;
mod passed;
mod streaming;
mod tables;
mod waits;

use crate::{mask::Mask, outside::Outside, template};
use pipeline::{Kind, Pipeline, Task};
use queue::{Claim, Line, TaskRow};
use serde_json::{Map, Value, json};
use service::CancellationToken;
use std::time::Duration;

/// A task with all that it may use.
pub struct Job<'a> {
    pub outside: &'a Outside,
    pub claim: &'a Claim,
    pub pipeline: &'a Pipeline,
    pub task: &'a Task,
    pub context: &'a Value,
    /// What it must not say.
    pub mask: &'a Mask,
    /// The tasks whose results it needs.
    pub tasks: &'a [TaskRow],
    /// Cancelled when the task is to end before its time.
    pub stop: &'a CancellationToken,
}

/// What is to stop has ended, or has been killed, after so long.
pub const STOP_MAX: Duration = command::GRACE.saturating_add(Duration::from_secs(1));

/// How one look at a task went.
pub enum Outcome {
    Done(Value),
    /// Of a branch: which of its children go on, and which are skipped.
    Chosen {
        chosen: Vec<String>,
        left_out: Vec<String>,
    },
    /// Look again later; `kept` is handed to the next look.
    NotYet {
        reason: String,
        look_again_in: Duration,
        kept: Option<Value>,
    },
    Failed(String),
}

impl Outcome {
    fn of<E: std::fmt::Display>(result: Result<Value, E>) -> Self {
        match result {
            Ok(value) => Outcome::Done(value),
            Err(cause) => Outcome::Failed(cause.to_string()),
        }
    }
}

/// Does what the task says, until it is stopped.
pub async fn run(job: &Job<'_>) -> Outcome {
    // A process is asked to end, and may take its time.
    let ends_itself = matches!(job.task.kind, Kind::Command { .. });
    tokio::select! {
        outcome = of_kind(job) => outcome,
        () = job.stop.cancelled(), if !ends_itself => Outcome::Failed("it was stopped".into()),
    }
}

async fn of_kind(job: &Job<'_>) -> Outcome {
    match &job.task.kind {
        Kind::Noop => Outcome::Done(Value::Null),
        Kind::Report => Outcome::Done(report(job)),
        Kind::Fetch { source } => Outcome::of(fetch::run(job, source).await),
        Kind::Sql { text, .. } => Outcome::of(sql(job, text).await),
        Kind::Cql { statement } => Outcome::of(cql(job, statement).await),
        Kind::Http(call) => Outcome::of(http::run(job, call).await),
        Kind::Command { run, env } => Outcome::of(command::run(job, run, env).await),
        Kind::Check(checked) => Outcome::of(match &checked.ids_of {
            Some(task) => arrived::run(job, task, &checked.tables).await,
            None => check::run(job, checked).await,
        }),
        Kind::Wait(waited) => passed::look(job, waited).await,
        Kind::Approve { question } => other::ask(job, question),
        Kind::Run { dag, params } => other::run(job, dag, params).await,
        Kind::Branch { choose } => branch::run(job, choose),
        Kind::Job { job: name, action } => streaming::run(job, name, *action).await,
    }
}

impl Job<'_> {
    /// Fills a template with what this task may name.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        template::render(text, self.context)
    }

    pub async fn log(&self, line: &str) {
        // Masked as a whole: at a cut, half a secret would be left.
        log(self.outside, self.claim, &self.mask.text(line)).await;
    }

    /// Adds lines in which no secret is left.
    pub async fn log_masked(&self, lines: &[Line]) {
        log_lines(self.outside, self.claim, lines).await;
    }
}

/// Adds a line to a task's log. A log that can't be kept fails nothing.
pub async fn log(outside: &Outside, claim: &Claim, line: &str) {
    log_lines(outside, claim, &[line.into()]).await;
}

async fn log_lines(outside: &Outside, claim: &Claim, lines: &[Line]) {
    if let Err(cause) = outside.queue.log(claim, lines).await {
        tracing::warn!(run.id = %claim.run_id, task = claim.task, "a log line was not kept: {cause}");
    }
}

async fn sql(job: &Job<'_>, text: &str) -> Result<Value, String> {
    let statements = job.fill(text)?;
    let pool = job.outside.analytics().await.map_err(|cause| cause.to_string())?;
    let mut transaction = pool.begin().await.map_err(|cause| cause.to_string())?;
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&mut *transaction)
        .await
        .map_err(|cause| format!("PostgreSQL refused it: {cause}"))?;
    transaction.commit().await.map_err(|cause| format!("the commit was not confirmed: {cause}"))?;
    job.log(&format!("{} rows changed", done.rows_affected())).await;
    Ok(json!({ "rows": done.rows_affected() }))
}

async fn cql(job: &Job<'_>, statement: &str) -> Result<Value, String> {
    let statement = job.fill(statement)?;
    let cassandra = job.outside.cassandra().await.map_err(|cause| cause.to_string())?;
    let answer = cassandra.query(&statement).await.map_err(|cause| cause.to_string())?;
    job.log(&format!("{} rows", answer.rows.len())).await;
    Ok(json!({ "columns": answer.columns, "rows": answer.rows }))
}

/// The results of all tasks before this one, side by side.
fn report(job: &Job<'_>) -> Value {
    let results = job
        .tasks
        .iter()
        .filter(|task| task.map_of.is_none())
        .filter_map(|task| Some((task.name.clone(), task.result.clone()?)));
    Value::Object(results.collect::<Map<_, _>>())
}
