//! One act on many runs: each is done by itself, written down by itself, and answered by itself.

use super::{
    Answer, Problem,
    hand::{Hand, Version, clear_as, there},
};
use crate::{outside::Outside, page::Trouble, page::act as one};
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use model::{RunState, TaskState};
use queue::{By, Clear, Which};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use utoipa::ToSchema;
use uuid::Uuid;

pub fn routes() -> Router<Outside> {
    Router::new().route("/api/v1/bulk", post(act))
}

/// Of one request: more are several, and a person looks between them.
const RUNS_MAX: usize = 1_000;
/// Side by side: others need the database, too.
const AT_ONCE: usize = 4;
/// What has not begun by then is left, and said so: an answer must come before the request is given up.
const BEGIN_MAX: Duration = Duration::from_secs(8);

/// What is done to each run, or DAG.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    /// Runs tasks again: those that are named, or all.
    Clear,
    /// The same of those that did not succeed.
    Retry,
    Mark,
    Cancel,
    Pause,
    Unpause,
}

/// One act on many runs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// clear (named tasks, or all, run again), retry (those of them that did not succeed), mark, cancel; of DAGs: pause, unpause
    #[schema(value_type = String)]
    what: What,
    /// These runs, at most 1000.
    runs: Option<Vec<Uuid>>,
    /// Or all of these.
    r#where: Option<Where>,
    /// To pause or unpause.
    dags: Option<Vec<String>>,
    /// Of each run, only these tasks; to mark, they must be named.
    tasks: Option<Vec<String>>,
    #[serde(default)]
    downstream: bool,
    #[serde(default)]
    upstream: bool,
    /// To mark: success, failed or skipped.
    state: Option<String>,
    /// To clear or retry: same (where absent) or newest.
    #[serde(default)]
    #[schema(value_type = String)]
    version: Version,
    who: Option<String>,
    why: Option<String>,
}

/// Which runs: those to which all of this applies.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Where {
    dag: Option<String>,
    /// queued, running, success, failed or cancelled
    #[schema(value_type = Option<String>)]
    state: Option<RunState>,
    /// Logical times, both included.
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

#[utoipa::path(post, path = "/api/v1/bulk", request_body = Bulk,
    responses((status = 200, description = "{what, asked, done, answers: [{run_id or dag, done, and tasks: how many run again, or error: why nothing was done}]}. What did not begin within 8 s was not done, and says so"), (status = 422, description = "More than 1000 runs, or what is missing or does not fit what is to be done")))]
pub async fn act(State(outside): State<Outside>, Json(asked): Json<Bulk>) -> Answer {
    let by = Hand { who: asked.who.clone(), why: asked.why.clone() }.by()?;
    let began = Instant::now();
    let answers = if matches!(asked.what, What::Pause | What::Unpause) {
        pause_all(&outside, &asked, &by).await?
    } else {
        let deed = Deed::of(&asked)?;
        let runs = runs(&outside, &asked).await?;
        let each = runs.into_iter().map(|run_id| {
            let (outside, deed, by) = (&outside, &deed, &by);
            async move {
                let done = match began.elapsed() < BEGIN_MAX {
                    true => deed.done(outside, run_id, by).await,
                    false => Err(refused("there was no time left for it: ask again for this run")),
                };
                told(json!({ "run_id": run_id }), done)
            }
        });
        stream::iter(each).buffered(AT_ONCE).collect().await
    };
    let done = answers.iter().filter(|answer| answer["done"] == true).count();
    let what = format!("{:?}", asked.what).to_lowercase();
    Ok(Json(json!({ "what": what, "asked": answers.len(), "done": done, "answers": answers })))
}

/// What is done to one of them.
enum Deed {
    Clear(Clear, Version),
    Mark(Vec<String>, TaskState),
    Cancel,
}

impl Deed {
    fn of(asked: &Bulk) -> Result<Self, Problem> {
        let clear = |only_failed| Clear {
            tasks: asked.tasks.clone(),
            downstream: asked.downstream,
            upstream: asked.upstream,
            only_failed,
        };
        match asked.what {
            What::Clear => Ok(Deed::Clear(clear(false), asked.version)),
            What::Retry => Ok(Deed::Clear(clear(true), asked.version)),
            What::Mark => match (&asked.tasks, &asked.state) {
                (Some(tasks), Some(state)) => Ok(Deed::Mark(tasks.clone(), one::markable(state)?)),
                _ => Err(refused("mark needs `tasks` and `state`: success, failed or skipped")),
            },
            _ => Ok(Deed::Cancel),
        }
    }

    async fn done(&self, outside: &Outside, run_id: Uuid, by: &By) -> Result<Value, Problem> {
        match self {
            Deed::Clear(which, version) => {
                there(outside, run_id, which.tasks.as_deref().unwrap_or_default()).await?;
                Ok(json!({ "tasks": clear_as(outside, run_id, which, *version, by).await? }))
            }
            Deed::Mark(tasks, state) => {
                there(outside, run_id, tasks).await?;
                for task in tasks {
                    outside.queue.mark(run_id, task, *state, by).await?;
                }
                Ok(json!({}))
            }
            Deed::Cancel => {
                there(outside, run_id, &[]).await?;
                match outside.queue.cancel(run_id, by).await? {
                    true => Ok(json!({})),
                    false => Err(refused("it has ended already")),
                }
            }
        }
    }
}

async fn runs(outside: &Outside, asked: &Bulk) -> Result<Vec<Uuid>, Problem> {
    let runs = match (&asked.runs, &asked.r#where) {
        (Some(runs), None) => runs.clone(),
        (None, Some(Where { dag: None, state: None, from: None, to: None })) => {
            return Err(refused("`where` says nothing: name a dag, a state, from or to"));
        }
        (None, Some(these)) => {
            let which = Which { dag: these.dag.as_deref(), state: these.state, before: None };
            let limit = RUNS_MAX as i64 + 1;
            outside.queue.run_ids(&which, these.from, these.to, limit).await?
        }
        _ => return Err(refused("say which runs: either `runs` or `where`")),
    };
    bounded(runs)
}

fn bounded<T>(asked: Vec<T>) -> Result<Vec<T>, Problem> {
    match asked.len() > RUNS_MAX {
        true => Err(refused(&format!("these are more than {RUNS_MAX}: ask for fewer at once"))),
        false => Ok(asked),
    }
}

async fn pause_all(outside: &Outside, asked: &Bulk, by: &By) -> Result<Vec<Value>, Problem> {
    let dags = asked.dags.clone().ok_or_else(|| refused("to pause or unpause, name `dags`"))?;
    let mut answers = vec![];
    for dag in bounded(dags)? {
        let done =
            match !dag.contains('\0') && outside.queue.pause(&dag, asked.what == What::Pause, by).await? {
                true => Ok(json!({})),
                false => Err(super::missing(format!("DAG \"{dag}\""))),
            };
        answers.push(told(json!({ "dag": dag }), done));
    }
    Ok(answers)
}

fn told(mut answer: Value, done: Result<Value, Problem>) -> Value {
    answer["done"] = done.is_ok().into();
    match done {
        Ok(Value::Object(more)) => {
            for (key, value) in more {
                answer[key] = value;
            }
        }
        Ok(_) => {}
        Err(Problem(Trouble(_, why))) => answer["error"] = why.into(),
    }
    answer
}

fn refused(why: &str) -> Problem {
    Problem(Trouble(StatusCode::UNPROCESSABLE_ENTITY, why.into()))
}
