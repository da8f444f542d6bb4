//! Logs of tasks: pages of them, searched, and the whole as a text.

use super::{Answer, Problem, missing};
use crate::{outside::Outside, page::Trouble};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::stream;
use queue::{LEVELS, Lines, LogLine};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

pub fn routes() -> Router<Outside> {
    Router::new()
        .route("/api/v1/runs/{run_id}/tasks/{task}/log", get(page))
        .route("/api/v1/runs/{run_id}/tasks/{task}/log.txt", get(text))
}

/// Which lines.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    attempt: Option<i32>,
    level: Option<String>,
    search: Option<String>,
    after: Option<i64>,
    limit: Option<i64>,
}

impl Which {
    fn lines(&self) -> Result<Lines<'_>, Problem> {
        let wrong = |told: String| Problem(Trouble(StatusCode::UNPROCESSABLE_ENTITY, told));
        if let Some(other) = self.level.as_deref().filter(|level| !LEVELS.contains(level)) {
            return Err(wrong(format!("there is no level \"{other}\": write {}", LEVELS.join(", "))));
        }
        if self.search.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(wrong("no line has the character 0: search for a text without it".into()));
        }
        Ok(Lines {
            attempt: self.attempt,
            level: self.level.as_deref(),
            search: self.search.as_deref(),
            after: self.after.unwrap_or(0),
        })
    }
}

/// Lines of one answer.
const LINES_MAX: i64 = 1_000;

#[utoipa::path(get, path = "/api/v1/runs/{run_id}/tasks/{task}/log", params(("run_id" = Uuid, Path, description = "The run"), ("task" = String, Path, description = "The task's name"), ("attempt" = Option<i32>, Query, description = "Only lines of this try"), ("level" = Option<String>, Query, description = "Only lines of this level and graver ones: error, warn, info, debug"), ("search" = Option<String>, Query, description = "Only lines with this text, in whatever case"), ("after" = Option<i64>, Query, description = "Only lines after this id: the last of a page asks for the next"), ("limit" = Option<i64>, Query, description = "At most 1000; so many where absent")),
    responses((status = 200, description = "[{id, attempt, at, level, line}], the oldest first"), (status = 404, description = "No such task"), (status = 422, description = "Not a level")))]
pub async fn page(
    State(outside): State<Outside>,
    Path((run_id, task)): Path<(Uuid, String)>,
    Query(which): Query<Which>,
) -> Answer {
    let limit = which.limit.unwrap_or(LINES_MAX).clamp(1, LINES_MAX);
    let lines = which.lines()?;
    there(&outside, run_id, &task).await?;
    Ok(Json(json!(outside.queue.log_page(run_id, &task, &lines, limit).await?)))
}

#[utoipa::path(get, path = "/api/v1/runs/{run_id}/tasks/{task}/log.txt", params(("run_id" = Uuid, Path, description = "The run"), ("task" = String, Path, description = "The task's name"), ("attempt" = Option<i32>, Query, description = "Only lines of this try"), ("level" = Option<String>, Query, description = "Only lines of this level and graver ones"), ("search" = Option<String>, Query, description = "Only lines with this text")),
    responses((status = 200, description = "The same lines as a text, all of them", content_type = "text/plain"), (status = 404, description = "No such task"), (status = 422, description = "Not a level")))]
pub async fn text(
    State(outside): State<Outside>,
    Path((run_id, task)): Path<(Uuid, String)>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    which.lines()?;
    there(&outside, run_id, &task).await?;
    let file = format!("attachment; filename=\"{run_id}.log\"");
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, file)];
    // A page at a time: the whole need not fit in memory.
    let start = Some(which.after.unwrap_or(0));
    let pages = stream::try_unfold((outside, which, start), move |(outside, which, after)| {
        let task = task.clone();
        async move {
            let Some(after) = after else { return Ok(None) };
            let lines = which.lines().map_err(|Problem(trouble)| std::io::Error::other(trouble.1))?;
            let lines = Lines { after, ..lines };
            let found = outside
                .queue
                .log_page(run_id, &task, &lines, LINES_MAX)
                .await
                .map_err(std::io::Error::other)?;
            let text: String = found.iter().map(shown).collect();
            let next = found.last().filter(|_| found.len() as i64 == LINES_MAX).map(|line| line.id);
            Ok::<_, std::io::Error>(Some((Bytes::from(text), (outside, which, next))))
        }
    });
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn shown(line: &LogLine) -> String {
    format!(
        "{}  try {}  {:5}  {}\n",
        line.at.format("%Y-%m-%dT%H:%M:%S%.6fZ"),
        line.attempt,
        line.level,
        line.line
    )
}

async fn there(outside: &Outside, run_id: Uuid, task: &str) -> Result<(), Problem> {
    let found = outside.queue.tasks_named(run_id, &[task.to_owned()]).await?;
    if found.is_empty() { Err(missing(format!("task \"{task}\" in run {run_id}"))) } else { Ok(()) }
}
