//! `job`: starts, stops or waits for a streaming job.

use super::{Job, Outcome};
use pipeline::JobAction;
use serde_json::json;
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub async fn run(job: &Job<'_>, name: &str, action: JobAction) -> Outcome {
    let done = match action {
        JobAction::Start => want(job, name, "running").await,
        JobAction::Stop => want(job, name, "stopped").await,
        JobAction::Wait => return wait(job, name).await,
    };
    match done {
        Ok(()) => Outcome::Done(json!({ "job": name })),
        Err(reason) => Outcome::Failed(reason),
    }
}

async fn want(job: &Job<'_>, name: &str, wanted: &str) -> Result<(), String> {
    let statement = "UPDATE job SET wanted = $2 WHERE name = $1";
    let done = sqlx::query(statement)
        .bind(name)
        .bind(wanted)
        .execute(job.outside.queue.pool())
        .await
        .map_err(|cause| cause.to_string())?;
    job.log(&format!("{name} is to be {wanted}")).await;
    if done.rows_affected() == 0 {
        Err(format!("the coordinator does not know the job \"{name}\" yet"))
    } else {
        Ok(())
    }
}

async fn wait(job: &Job<'_>, name: &str) -> Outcome {
    let statement = "SELECT count(*), count(*) FILTER (WHERE state = 'running') FROM slot WHERE job = $1";
    match sqlx::query_as::<_, (i64, i64)>(statement).bind(name).fetch_one(job.outside.queue.pool()).await {
        Ok((slots, running)) if slots > 0 && slots == running => {
            Outcome::Done(json!({ "job": name, "slots": slots }))
        }
        Ok((slots, running)) => {
            let reason = format!("{running} of {slots} slots of {name} run");
            Outcome::NotYet { reason, look_again_in: LOOK_AGAIN, kept: None }
        }
        Err(cause) => Outcome::Failed(cause.to_string()),
    }
}
