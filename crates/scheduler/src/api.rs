//! REST under `/api/v1`, described by `/api/v1/openapi.json`.

mod backfill;
mod bulk;
mod hand;
mod log;
mod named;
mod notifications;
mod versions;

use crate::{
    outside::Outside,
    page::{Trouble, act},
};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use model::RunState;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Millrace scheduler",
        description = "DAGs, runs and tasks. Errors are {\"error\": what, why, what now}."
    ),
    paths(
        dags,
        trigger,
        backfill::short,
        backfill::make,
        backfill::list,
        backfill::show,
        backfill::pause,
        backfill::resume,
        backfill::cancel,
        bulk::act,
        runs,
        run,
        tasks,
        task,
        result,
        hand::pause,
        hand::unpause,
        hand::cancel,
        hand::clear,
        hand::clear_task,
        hand::mark,
        hand::decide,
        hand::actions,
        named::connections,
        named::variables,
        named::set_connection,
        named::set_variable,
        named::delete_connection,
        named::delete_variable,
        notifications::list,
        log::page,
        log::text,
        versions::problems,
        versions::versions,
        versions::differences
    )
)]
struct Api;

pub fn routes(outside: Outside) -> Router {
    Router::new()
        .route("/api/v1/openapi.json", get(|| async { Json(Api::openapi()) }))
        .route("/api/v1/dags", get(dags))
        .route("/api/v1/dags/{dag}/runs", post(trigger))
        .route("/api/v1/runs", get(runs))
        .route("/api/v1/runs/{run_id}", get(run))
        .route("/api/v1/runs/{run_id}/tasks", get(tasks))
        .route("/api/v1/runs/{run_id}/tasks/{task}", get(task))
        .route("/api/v1/runs/{run_id}/tasks/{task}/result", get(result))
        .merge(backfill::routes())
        .merge(bulk::routes())
        .merge(hand::routes())
        .merge(named::routes())
        .merge(log::routes())
        .merge(notifications::routes())
        .merge(versions::routes())
        .with_state(outside)
}

/// An error as JSON.
struct Problem(Trouble);

impl<E: Into<Trouble>> From<E> for Problem {
    fn from(cause: E) -> Self {
        Problem(cause.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        service::http::problem(self.0.0, self.0.1)
    }
}

type Answer = Result<Json<Value>, Problem>;

fn missing(what: String) -> Problem {
    Problem(Trouble(StatusCode::NOT_FOUND, format!("there is no {what}: correct the address")))
}

/// Which DAGs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhichDags {
    tag: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/dags", params(("tag" = Option<String>, Query, description = "Only those with this tag")), responses((status = 200, description = "All DAGs that are published, with tags, owner and doc (Markdown) of each, when it is looked at next, and what keeps an edit of its pipeline from being published")))]
async fn dags(State(outside): State<Outside>, Query(which): Query<WhichDags>) -> Answer {
    let mut about = outside.queue.about().await?;
    let problems = pipeline::published::problems(outside.queue.pool()).await?;
    let dag = |dag: queue::DagRow| {
        let about = about.remove(&dag.name).unwrap_or_default();
        if which.tag.as_ref().is_some_and(|tag| !about.tags.contains(tag)) {
            return None;
        }
        let of_it = |problem: &&pipeline::Problem| problem.file.split('/').next() == Some(&dag.pipeline);
        Some(json!({
            "name": dag.name, "pipeline": dag.pipeline, "version": dag.hash, "paused": dag.paused,
            "next_at": dag.next_at, "last_logical": dag.last_logical,
            "problems": problems.iter().filter(of_it).map(ToString::to_string).collect::<Vec<_>>(),
            "tags": about.tags, "owner": about.owner, "doc": about.doc,
        }))
    };
    Ok(Json(outside.queue.dags().await?.into_iter().filter_map(dag).collect()))
}

/// What a trigger may say.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Trigger {
    /// Two requests with the same key for the same DAG make one run. The header `Idempotency-Key` says the same.
    idempotency_key: Option<String>,
    /// What the run is for; now where absent.
    logical_time: Option<DateTime<Utc>>,
    /// Values for the DAG's parameters; the others have their defaults.
    #[serde(default)]
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// Who asks, and why.
    who: Option<String>,
    why: Option<String>,
}

/// It is the key of an index.
const KEY_BYTES_MAX: usize = 500;

#[utoipa::path(post, path = "/api/v1/dags/{dag}/runs", request_body = Trigger, params(("dag" = String, Path, description = "Its name"), ("Idempotency-Key" = Option<String>, Header, description = "As idempotency_key of the body")),
    responses((status = 200, description = "{run_id, new, run}"), (status = 400, description = "A key that can't be one"), (status = 404, description = "No such DAG"), (status = 422, description = "A parameter is wrong; the answer names it")))]
async fn trigger(
    State(outside): State<Outside>,
    Path(dag): Path<String>,
    headers: HeaderMap,
    body: Option<Json<Trigger>>,
) -> Answer {
    let Json(asked) = body.unwrap_or_default();
    let key = key_of(asked.idempotency_key, &headers)?;
    let by = hand::Hand { who: asked.who, why: asked.why }.by()?;
    let asked = act::Asked { cause: None, key, logical_time: asked.logical_time, params: asked.params };
    let (run_id, new) = act::trigger_run(&outside, &dag, asked, &by).await?;
    let run = outside.queue.run(run_id).await?;
    Ok(Json(json!({ "run_id": run_id, "new": new, "run": run })))
}

/// The key of the body or of the header, which must agree.
fn key_of(body: Option<String>, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let wrong = |told: String| Problem(Trouble(StatusCode::BAD_REQUEST, told));
    let header = headers.get("idempotency-key").map(|value| value.to_str().map(str::to_owned)).transpose();
    let header = header.map_err(|_| wrong("the header Idempotency-Key is no text: give ASCII".into()))?;
    let key = match (body, header) {
        (Some(body), Some(header)) if body != header => {
            return Err(wrong("the body's idempotency_key and the header differ: give one of them".into()));
        }
        (body, header) => body.or(header),
    };
    match &key {
        Some(key) if key.is_empty() || key.len() > KEY_BYTES_MAX || key.contains(char::is_control) => {
            Err(wrong(format!(
                "the idempotency_key has {} bytes: give 1 to {KEY_BYTES_MAX}, without control characters",
                key.len()
            )))
        }
        _ => Ok(key),
    }
}

/// Which runs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    dag: Option<String>,
    limit: Option<i64>,
    state: Option<RunState>,
    before: Option<Uuid>,
}

const RUNS_MAX: i64 = 1_000;

#[utoipa::path(get, path = "/api/v1/runs", params(("dag" = Option<String>, Query, description = "Only its runs"), ("state" = Option<String>, Query, description = "queued, running, success, failed or cancelled"), ("before" = Option<Uuid>, Query, description = "Only runs older than this one: the last of a page asks for the next"), ("limit" = Option<i64>, Query, description = "At most 1000; 100 where absent")),
    responses((status = 200, description = "The newest runs first")))]
async fn runs(State(outside): State<Outside>, Query(which): Query<Which>) -> Answer {
    let asked = queue::Which { dag: which.dag.as_deref(), state: which.state, before: which.before };
    let runs = outside.queue.runs_page(&asked, which.limit.unwrap_or(100).clamp(1, RUNS_MAX)).await?;
    Ok(Json(json!(runs)))
}

#[utoipa::path(get, path = "/api/v1/runs/{run_id}", params(("run_id" = Uuid, Path, description = "Its id")), responses((status = 200, description = "A run with its tasks and what was told of it; a task that neither runs nor has ended says in `reason` why"), (status = 404, description = "No such run")))]
async fn run(State(outside): State<Outside>, Path(run_id): Path<Uuid>) -> Answer {
    let run = outside.queue.run(run_id).await?.ok_or_else(|| missing(format!("run {run_id}")))?;
    let tasks = outside.queue.tasks_explained(run_id).await?;
    let notices = outside.queue.notices(run_id).await?;
    let actions = outside.queue.actions(None, Some(run_id), hand::ACTIONS_MAX).await?;
    Ok(Json(json!({ "run": run, "tasks": tasks, "notices": notices, "actions": actions })))
}

#[utoipa::path(get, path = "/api/v1/runs/{run_id}/tasks", params(("run_id" = Uuid, Path, description = "The run")),
    responses((status = 200, description = "Its tasks: `scheduled_at` is when all that a task waited for had ended, `queued_at` since when its last try could have begun"), (status = 404, description = "No such run")))]
async fn tasks(State(outside): State<Outside>, Path(run_id): Path<Uuid>) -> Answer {
    outside.queue.run(run_id).await?.ok_or_else(|| missing(format!("run {run_id}")))?;
    Ok(Json(json!(outside.queue.tasks_explained(run_id).await?)))
}

#[utoipa::path(get, path = "/api/v1/runs/{run_id}/tasks/{task}", params(("run_id" = Uuid, Path, description = "The run"), ("task" = String, Path, description = "The task's name")),
    responses((status = 200, description = "A task with its tries and the last 1000 lines of its log")))]
async fn task(State(outside): State<Outside>, Path((run_id, name)): Path<(Uuid, String)>) -> Answer {
    let task = outside.queue.tasks_explained(run_id).await?.into_iter().find(|task| task.name == name);
    let task = task.ok_or_else(|| missing(format!("task \"{name}\" in run {run_id}")))?;
    let attempts = outside.queue.attempts(run_id, &name).await?;
    let log = outside.queue.task_log(run_id, &name, 1_000).await?;
    Ok(Json(json!({ "task": task, "attempts": attempts, "log": log })))
}

#[utoipa::path(get, path = "/api/v1/runs/{run_id}/tasks/{task}/result", params(("run_id" = Uuid, Path, description = "The run"), ("task" = String, Path, description = "The task's name")),
    responses((status = 200, description = "The task's result, whole: one over 64 KiB is elsewhere only named by its file; null where there is none"), (status = 404, description = "No such task"), (status = 409, description = "Its file is gone")))]
async fn result(State(outside): State<Outside>, Path((run_id, name)): Path<(Uuid, String)>) -> Answer {
    let task = outside.queue.tasks_named(run_id, std::slice::from_ref(&name)).await?.pop();
    let task = task.ok_or_else(|| missing(format!("task \"{name}\" in run {run_id}")))?;
    let opened = outside.results.open(task.result.unwrap_or_default()).await;
    Ok(Json(opened.map_err(|cause| Problem(Trouble(StatusCode::CONFLICT, cause)))?))
}
