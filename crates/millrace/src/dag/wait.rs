//! Waiting for the end of a run.

use std::time::{Duration, Instant};

use model::RunState;
use serde_json::Value;

use crate::cli::TriggerArgs;
use crate::failure::Failure;
use crate::rest::Rest;
use crate::run as runs;
use crate::{output, table};

const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// A scheduler that is away for a moment (a restart) does not end the wait: the run goes on behind it.
pub async fn until_ended(scheduler: &Rest, id: &str, args: &TriggerArgs) -> Result<(), Failure> {
    let until = Instant::now() + args.timeout;
    let mut seen = "its state is not known yet".to_string();
    while Instant::now() < until {
        match scheduler.get(&["api", "v1", "runs", id], &[]).await {
            Ok(found) => match state(&found) {
                Some(state) if state.is_final() => return tell(&found, state, args),
                state => seen = state.map_or_else(|| seen, |state| format!("it is {state}")),
            },
            Err(Failure::Failed(cause)) => seen = cause,
            Err(wrong) => return Err(wrong),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let limit = humantime::format_duration(args.timeout);
    Err(Failure::Failed(format!(
        "run {id} has not ended within {limit}: {seen}; `millrace run show {id}` shows it"
    )))
}

fn state(found: &Value) -> Option<RunState> {
    found["run"]["state"].as_str()?.parse().ok()
}

fn tell(found: &Value, state: RunState, args: &TriggerArgs) -> Result<(), Failure> {
    if args.json {
        output::json(found)
    } else {
        runs::print_one(found)
    }
    if state == RunState::Success {
        return Ok(());
    }
    let (id, why) = (
        table::cell(&found["run"]["id"], "?"),
        table::cell(&found["run"]["reason"], "a task did not succeed"),
    );
    Err(Failure::Failed(format!(
        "run {id} of {} is {state}: {why}; `millrace task log {id} TASK` says more",
        args.name
    )))
}
