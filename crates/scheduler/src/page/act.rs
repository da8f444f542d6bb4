//! What the buttons do. Each ends on the page that shows the effect.

use super::{Trouble, find_dag};
use crate::outside::Outside;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Redirect,
};
use chrono::{DateTime, Utc};
use model::TaskState;
use pipeline::{Dag, param};
use queue::{By, Cause, Clear, DagRow, NewRun};
use serde_json::{Map, Value};
use uuid::Uuid;

/// There are no logins: all that is known is where the button was.
pub fn by_page() -> By {
    By { who: "the page".into(), why: None }
}

/// What a run is asked for with.
#[derive(Default)]
pub struct Asked {
    /// A task that asks for it; a person where absent.
    pub cause: Option<Cause>,
    /// Two requests with the same key for the same DAG make one run.
    pub key: Option<String>,
    /// Now, where absent.
    pub logical_time: Option<DateTime<Utc>>,
    pub params: Map<String, Value>,
}

/// Makes a run by hand. The key is the caller's, so that a repeated request makes one run.
pub async fn trigger_run(
    outside: &Outside,
    name: &str,
    asked: Asked,
    by: &By,
) -> Result<(Uuid, bool), Trouble> {
    let (row, dag) = published_dag(outside, name).await?;
    let key = asked.key.unwrap_or_else(|| Uuid::new_v4().to_string());
    let params = param::fill(&dag.settings.params, &asked.params)
        .map_err(|cause| Trouble(StatusCode::UNPROCESSABLE_ENTITY, cause.to_string()))?;
    let logical_at = asked.logical_time.unwrap_or_else(Utc::now);
    let cause = asked.cause.unwrap_or(Cause::Manual);
    // Two DAGs may be asked for with the same key.
    let key = format!("{}:{name}:{key}", cause.as_str());
    let run = NewRun::of(&dag, &row.pipeline, &row.hash, key, logical_at, cause);
    let interval =
        dag.settings.timetable(None).ok().and_then(|timetable| timetable.interval_before(logical_at));
    let made = outside.triggers.write((NewRun { params, interval, ..run }, by.clone())).await?;
    // Its first tasks wait for no hint.
    outside.ready.notify_one();
    Ok(made)
}

/// A run of a DAG as the DAG's newest version would have it.
pub async fn newest(outside: &Outside, run_id: Uuid) -> Result<NewRun, Trouble> {
    let run = outside.queue.run(run_id).await?.ok_or_else(|| Trouble::missing(format!("run {run_id}")))?;
    let (row, dag) = published_dag(outside, &run.dag).await?;
    // Of the cause, only the lane of backfills is of interest.
    let cause = if run.cause == Cause::Backfill.as_str() { Cause::Backfill } else { Cause::Manual };
    Ok(NewRun::of(&dag, &row.pipeline, &row.hash, String::new(), run.logical_at, cause))
}

/// A DAG's row, and what its published version says.
pub async fn published_dag(outside: &Outside, name: &str) -> Result<(DagRow, Dag), Trouble> {
    let row = find_dag(outside, name).await?;
    let unreadable = |reason: String| Trouble(StatusCode::CONFLICT, reason);
    let pipeline = outside.version(&row.pipeline, &row.hash).await.map_err(unreadable)?;
    let dag = pipeline.dags.get(name).cloned();
    Ok((row, dag.ok_or_else(|| Trouble::missing(format!("DAG \"{name}\"")))?))
}

pub async fn trigger(State(outside): State<Outside>, Path(dag): Path<String>) -> Result<Redirect, Trouble> {
    let (run_id, _) = trigger_run(&outside, &dag, Asked::default(), &by_page()).await?;
    Ok(Redirect::to(&format!("/runs/{run_id}")))
}

pub async fn pause(State(outside): State<Outside>, Path(dag): Path<String>) -> Result<Redirect, Trouble> {
    set_paused(&outside, &dag, true).await
}

pub async fn unpause(State(outside): State<Outside>, Path(dag): Path<String>) -> Result<Redirect, Trouble> {
    set_paused(&outside, &dag, false).await
}

async fn set_paused(outside: &Outside, dag: &str, paused: bool) -> Result<Redirect, Trouble> {
    if outside.queue.pause(dag, paused, &by_page()).await? {
        Ok(Redirect::to(&format!("/dags/{dag}")))
    } else {
        Err(Trouble::missing(format!("DAG \"{dag}\"")))
    }
}

pub async fn cancel(State(outside): State<Outside>, Path(run_id): Path<Uuid>) -> Result<Redirect, Trouble> {
    outside.queue.cancel(run_id, &by_page()).await?;
    Ok(Redirect::to(&format!("/runs/{run_id}")))
}

pub async fn clear(State(outside): State<Outside>, Path(run_id): Path<Uuid>) -> Result<Redirect, Trouble> {
    outside.queue.clear(run_id, &Clear::failed(), &by_page()).await?;
    Ok(Redirect::to(&format!("/runs/{run_id}")))
}

pub async fn clear_task(
    State(outside): State<Outside>,
    Path((run_id, task)): Path<(Uuid, String)>,
) -> Result<Redirect, Trouble> {
    let which = Clear { tasks: Some(vec![task]), downstream: true, upstream: false, only_failed: false };
    outside.queue.clear(run_id, &which, &by_page()).await?;
    Ok(Redirect::to(&format!("/runs/{run_id}")))
}

pub async fn mark_task(
    State(outside): State<Outside>,
    Path((run_id, task, word)): Path<(Uuid, String, String)>,
) -> Result<Redirect, Trouble> {
    let state = markable(&word)?;
    match outside.queue.mark(run_id, &task, state, &by_page()).await? {
        true => Ok(Redirect::to(&format!("/runs/{run_id}/tasks/{task}"))),
        false => Err(Trouble::missing(format!("task \"{task}\" in run {run_id}"))),
    }
}

/// The states that people may give a task.
pub fn markable(word: &str) -> Result<TaskState, Trouble> {
    match word.parse() {
        Ok(state @ (TaskState::Success | TaskState::Failed | TaskState::Skipped)) => Ok(state),
        _ => Err(Trouble(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("a task can't be marked \"{word}\": write success, failed or skipped"),
        )),
    }
}

pub async fn approve(
    State(outside): State<Outside>,
    Path((run_id, task)): Path<(Uuid, String)>,
) -> Result<Redirect, Trouble> {
    decide(&outside, run_id, &task, true, &by_page()).await?;
    Ok(Redirect::to(&format!("/runs/{run_id}")))
}

pub async fn reject(
    State(outside): State<Outside>,
    Path((run_id, task)): Path<(Uuid, String)>,
) -> Result<Redirect, Trouble> {
    decide(&outside, run_id, &task, false, &by_page()).await?;
    Ok(Redirect::to(&format!("/runs/{run_id}")))
}

/// Answers the question of a task that asks one.
pub async fn decide(outside: &Outside, run_id: Uuid, task: &str, yes: bool, by: &By) -> Result<(), Trouble> {
    match outside.queue.decide(run_id, task, yes, by).await? {
        true => Ok(()),
        false => Err(Trouble(
            StatusCode::CONFLICT,
            format!("the task \"{task}\" of run {run_id} asks nothing now: its page says how it stands"),
        )),
    }
}
