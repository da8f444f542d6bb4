//! What people do to runs and tasks by hand, and who did what.

use super::{Answer, Problem, missing};
use crate::{outside::Outside, page::Trouble, page::act};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use queue::{By, Clear, Renewed};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

pub fn routes() -> Router<Outside> {
    Router::new()
        .route("/api/v1/actions", get(actions))
        .route("/api/v1/dags/{dag}/pause", post(pause))
        .route("/api/v1/dags/{dag}/unpause", post(unpause))
        .route("/api/v1/runs/{run_id}/cancel", post(cancel))
        .route("/api/v1/runs/{run_id}/clear", post(clear))
        .route("/api/v1/runs/{run_id}/tasks/{task}/clear", post(clear_task))
        .route("/api/v1/runs/{run_id}/tasks/{task}/mark", post(mark))
        .route("/api/v1/runs/{run_id}/tasks/{task}/decide", post(decide))
}

/// Who acts, and why. It is written down.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hand {
    pub who: Option<String>,
    pub why: Option<String>,
}

/// A sentence, not a document.
const WORDS_BYTES_MAX: usize = 1_000;
/// Acts of one answer.
pub const ACTIONS_MAX: i64 = 1_000;

impl Hand {
    pub fn by(self) -> Result<By, Problem> {
        let long = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| text.len() > WORDS_BYTES_MAX || text.contains('\0'))
        };
        if long(&self.who) || long(&self.why) {
            let told = format!("who and why are sentences: give at most {WORDS_BYTES_MAX} bytes each");
            return Err(Problem(Trouble(StatusCode::UNPROCESSABLE_ENTITY, told)));
        }
        // There are no logins: who does not say who it is came by REST.
        Ok(By { who: self.who.unwrap_or_else(|| "REST".into()), why: self.why })
    }
}

pub type Body<T> = Option<Json<T>>;

pub fn by(body: Body<Hand>) -> Result<By, Problem> {
    body.map(|Json(hand)| hand).unwrap_or_default().by()
}

#[utoipa::path(post, path = "/api/v1/dags/{dag}/pause", request_body = Hand, params(("dag" = String, Path, description = "Its name")), responses((status = 200, description = "Paused: no due time becomes a run")))]
pub async fn pause(State(outside): State<Outside>, Path(dag): Path<String>, body: Body<Hand>) -> Answer {
    set_paused(&outside, dag, true, by(body)?).await
}

#[utoipa::path(post, path = "/api/v1/dags/{dag}/unpause", request_body = Hand, params(("dag" = String, Path, description = "Its name")), responses((status = 200, description = "On: missed times follow the DAG's catchup")))]
pub async fn unpause(State(outside): State<Outside>, Path(dag): Path<String>, body: Body<Hand>) -> Answer {
    set_paused(&outside, dag, false, by(body)?).await
}

async fn set_paused(outside: &Outside, dag: String, paused: bool, by: By) -> Answer {
    if outside.queue.pause(&dag, paused, &by).await? {
        Ok(Json(json!({ "dag": dag, "paused": paused })))
    } else {
        Err(missing(format!("DAG \"{dag}\"")))
    }
}

#[utoipa::path(post, path = "/api/v1/runs/{run_id}/cancel", request_body = Hand, params(("run_id" = Uuid, Path, description = "Its id")), responses((status = 200, description = "{cancelled}: false where it had ended. Child processes get TERM, and KILL after 10 s"), (status = 404, description = "No such run")))]
pub async fn cancel(State(outside): State<Outside>, Path(run_id): Path<Uuid>, body: Body<Hand>) -> Answer {
    let by = by(body)?;
    there(&outside, run_id, &[]).await?;
    let cancelled = outside.queue.cancel(run_id, &by).await?;
    Ok(Json(json!({ "cancelled": cancelled })))
}

/// What is to run again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearAsked {
    /// All tasks of the run, where absent.
    tasks: Option<Vec<String>>,
    #[serde(default)]
    downstream: bool,
    #[serde(default)]
    upstream: bool,
    /// Only what did not succeed; so where absent and no task is named.
    only_failed: Option<bool>,
    /// same (where absent): as the run has them; newest: the run goes on with the newest version of its DAG.
    #[serde(default)]
    #[schema(value_type = String)]
    version: Version,
    who: Option<String>,
    why: Option<String>,
}

/// With which version of its DAG a run goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    #[default]
    Same,
    Newest,
}

#[utoipa::path(post, path = "/api/v1/runs/{run_id}/clear", request_body = ClearAsked, params(("run_id" = Uuid, Path, description = "Its id")), responses((status = 200, description = "{tasks}: how many run again"), (status = 404, description = "No such run or task"), (status = 409, description = "The run's tasks are not those of the newest version")))]
pub async fn clear(
    State(outside): State<Outside>,
    Path(run_id): Path<Uuid>,
    body: Body<ClearAsked>,
) -> Answer {
    let Json(asked) = body.unwrap_or_default();
    clear_these(&outside, run_id, asked).await
}

#[utoipa::path(post, path = "/api/v1/runs/{run_id}/tasks/{task}/clear", request_body = ClearAsked, params(("run_id" = Uuid, Path, description = "The run"), ("task" = String, Path, description = "The task's name")), responses((status = 200, description = "{tasks}: how many run again"), (status = 404, description = "No such run or task"), (status = 409, description = "The run's tasks are not those of the newest version")))]
pub async fn clear_task(
    State(outside): State<Outside>,
    Path((run_id, task)): Path<(Uuid, String)>,
    body: Body<ClearAsked>,
) -> Answer {
    let Json(asked) = body.unwrap_or_default();
    clear_these(&outside, run_id, ClearAsked { tasks: Some(vec![task]), ..asked }).await
}

async fn clear_these(outside: &Outside, run_id: Uuid, asked: ClearAsked) -> Answer {
    let by = Hand { who: asked.who, why: asked.why }.by()?;
    there(outside, run_id, asked.tasks.as_deref().unwrap_or_default()).await?;
    let which = Clear {
        only_failed: asked.only_failed.unwrap_or(asked.tasks.is_none()),
        tasks: asked.tasks,
        downstream: asked.downstream,
        upstream: asked.upstream,
    };
    let tasks = clear_as(outside, run_id, &which, asked.version, &by).await?;
    Ok(Json(json!({ "tasks": tasks })))
}

/// Clears a run that is there. Answers how many tasks run again.
pub async fn clear_as(
    outside: &Outside,
    run_id: Uuid,
    which: &Clear,
    version: Version,
    by: &By,
) -> Result<u64, Problem> {
    if version == Version::Same {
        return Ok(outside.queue.clear(run_id, which, by).await?);
    }
    let newest = act::newest(outside, run_id).await?;
    match outside.queue.clear_with(run_id, which, &newest, by).await? {
        Renewed::Cleared(tasks) => Ok(tasks),
        Renewed::Unfit(why) => Err(Problem(Trouble(StatusCode::CONFLICT, why))),
    }
}

/// Whether there is the run, with these tasks.
pub async fn there(outside: &Outside, run_id: Uuid, tasks: &[String]) -> Result<(), Problem> {
    outside.queue.run(run_id).await?.ok_or_else(|| missing(format!("run {run_id}")))?;
    let known = outside.queue.tasks_named(run_id, tasks).await?;
    match tasks.iter().find(|task| !known.iter().any(|known| known.name == **task)) {
        Some(task) => Err(missing(format!("task \"{task}\" in run {run_id}"))),
        None => Ok(()),
    }
}

/// The end that a task is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// success, failed or skipped
    state: String,
    who: Option<String>,
    why: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/runs/{run_id}/tasks/{task}/mark", request_body = Mark, params(("run_id" = Uuid, Path, description = "The run"), ("task" = String, Path, description = "The task's name")),
    responses((status = 200, description = "{task, state}: what still runs of it is stopped, its answer refused"), (status = 404, description = "No such task"), (status = 422, description = "Not a state that people give")))]
pub async fn mark(
    State(outside): State<Outside>,
    Path((run_id, task)): Path<(Uuid, String)>,
    Json(asked): Json<Mark>,
) -> Answer {
    let state = act::markable(&asked.state)?;
    let by = Hand { who: asked.who, why: asked.why }.by()?;
    match outside.queue.mark(run_id, &task, state, &by).await? {
        true => Ok(Json(json!({ "task": task, "state": state }))),
        false => Err(missing(format!("task \"{task}\" in run {run_id}"))),
    }
}

/// The answer to a task that asks a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    approve: bool,
    who: Option<String>,
    why: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/runs/{run_id}/tasks/{task}/decide", request_body = Decision, params(("run_id" = Uuid, Path, description = "The run"), ("task" = String, Path, description = "The task's name")),
    responses((status = 200, description = "{task, approved}"), (status = 409, description = "The task asks nothing now")))]
pub async fn decide(
    State(outside): State<Outside>,
    Path((run_id, task)): Path<(Uuid, String)>,
    Json(decision): Json<Decision>,
) -> Answer {
    let by = Hand { who: decision.who, why: decision.why }.by()?;
    act::decide(&outside, run_id, &task, decision.approve, &by).await?;
    Ok(Json(json!({ "task": task, "approved": decision.approve })))
}

/// Whose acts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    dag: Option<String>,
    run: Option<Uuid>,
    limit: Option<i64>,
    before: Option<i64>,
}

#[utoipa::path(get, path = "/api/v1/actions", params(("dag" = Option<String>, Query, description = "Only what was done to it"), ("run" = Option<Uuid>, Query, description = "Only what was done to it"), ("before" = Option<i64>, Query, description = "Only acts older than the one of this id: the last of a page asks for the next"), ("limit" = Option<i64>, Query, description = "At most 1000; 100 where absent")),
    responses((status = 200, description = "Who did what and why, the newest first")))]
pub async fn actions(State(outside): State<Outside>, Query(whose): Query<Whose>) -> Answer {
    let limit = whose.limit.unwrap_or(100).clamp(1, ACTIONS_MAX);
    let acts = outside.queue.actions_page(whose.dag.as_deref(), whose.run, whose.before, limit);
    Ok(Json(json!(acts.await?)))
}
