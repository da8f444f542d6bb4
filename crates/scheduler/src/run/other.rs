//! `run`: starts another DAG and waits for it. `approve`: waits for a person.

use super::{Job, Outcome};
use crate::{
    page::act::{self, Asked},
    template,
};
use model::RunState;
use queue::{By, Cause};
use serde_json::{Map, json};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// Between two looks at the other run.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A task of this try asks with one key, so that there is one run of the other DAG however often it looks.
pub async fn run(job: &Job<'_>, dag: &str, params: &BTreeMap<String, toml::Value>) -> Outcome {
    let known = job.claim.kept.as_ref().and_then(|kept| kept["run_id"].as_str()?.parse().ok());
    let id: Uuid = match known {
        Some(id) => id,
        None => match start(job, dag, params).await {
            Ok(id) => id,
            Err(reason) => return Outcome::Failed(reason),
        },
    };
    let result = json!({ "run_id": id, "dag": dag });
    match job.outside.queue.run(id).await {
        Ok(Some(run)) if run.state == RunState::Success => Outcome::Done(result),
        Ok(Some(run)) if run.state.is_final() => {
            let reason = run.reason.unwrap_or_default();
            Outcome::Failed(format!("run {id} of {dag} ended as {}: {reason}", run.state))
        }
        Ok(Some(run)) => {
            let reason = format!("run {id} of {dag} is {}", run.state);
            Outcome::NotYet { reason, look_again_in: LOOK_AGAIN, kept: Some(result) }
        }
        Ok(None) => Outcome::Failed(format!("run {id} of {dag} is no longer there")),
        Err(cause) => Outcome::NotYet {
            reason: format!("run {id} can't be looked at: {cause}"),
            look_again_in: LOOK_AGAIN,
            kept: Some(result),
        },
    }
}

async fn start(job: &Job<'_>, dag: &str, params: &BTreeMap<String, toml::Value>) -> Result<Uuid, String> {
    let claim = job.claim;
    let mut values = Map::new();
    for (name, value) in params {
        values.insert(name.clone(), template::filled(value, job.context)?);
    }
    let asked = Asked {
        cause: Some(Cause::Task),
        key: Some(format!("{}:{}:{}", claim.run_id, claim.task, claim.attempt)),
        logical_time: Some(claim.logical_at),
        params: values,
    };
    let by = By { who: format!("task {} of {}", claim.task, claim.dag), why: Some(claim.run_id.to_string()) };
    let made = act::trigger_run(job.outside, dag, asked, &by).await;
    made.map(|(id, _)| id).map_err(|trouble| trouble.1)
}

/// Asks, and looks again only when its time is over: the answer itself ends the task.
pub fn ask(job: &Job<'_>, question: &str) -> Outcome {
    match job.fill(question) {
        Ok(question) => Outcome::NotYet {
            reason: format!("waits for a person to approve: {question}"),
            look_again_in: job.task.timeout.saturating_sub(job.claim.age),
            kept: None,
        },
        Err(reason) => Outcome::Failed(reason),
    }
}
