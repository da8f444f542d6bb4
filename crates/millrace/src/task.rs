//! `millrace task`: what a task said, and giving it an end.

use serde_json::{Value, json};

use crate::address::Addresses;
use crate::cli::{DecideArgs, MarkArgs, Task, TaskLogArgs};
use crate::failure::Failure;
use crate::{output, table};

pub async fn run(addresses: &Addresses, asked: &Task) -> Result<(), Failure> {
    match asked {
        Task::Log(args) => log(addresses, args).await,
        Task::Mark(args) => mark(addresses, args).await,
        Task::Approve(args) => decide(addresses, args, true).await,
        Task::Reject(args) => decide(addresses, args, false).await,
    }
}

async fn mark(addresses: &Addresses, args: &MarkArgs) -> Result<(), Failure> {
    let run = args.run.to_string();
    let body = json!({ "state": args.state, "who": args.hand.who, "why": args.hand.why });
    let path = ["api", "v1", "runs", &run, "tasks", &args.task, "mark"];
    let answer = addresses.scheduler()?.post(&path, &body).await?;
    if args.json {
        output::json(&answer);
    } else {
        output::line(format_args!("the task {} of run {run} is marked {}", args.task, args.state));
    }
    Ok(())
}

async fn decide(addresses: &Addresses, args: &DecideArgs, approve: bool) -> Result<(), Failure> {
    let run = args.run.to_string();
    let body = json!({ "approve": approve, "who": args.hand.who, "why": args.hand.why });
    let path = ["api", "v1", "runs", &run, "tasks", &args.task, "decide"];
    let answer = addresses.scheduler()?.post(&path, &body).await?;
    if args.json {
        output::json(&answer);
    } else {
        let word = if approve { "approved" } else { "rejected" };
        output::line(format_args!("the task {} of run {run} is {word}", args.task));
    }
    Ok(())
}

async fn log(addresses: &Addresses, args: &TaskLogArgs) -> Result<(), Failure> {
    let run = args.run.to_string();
    let scheduler = addresses.scheduler()?;
    let path = ["api", "v1", "runs", &run, "tasks", &args.task];
    let mut found = scheduler.get(&path, &[]).await?;
    let attempt = args.attempt.map(|attempt| attempt.to_string());
    let asked = [
        ("attempt", attempt.as_deref()),
        ("level", args.level.as_deref()),
        ("search", args.search.as_deref()),
    ];
    let asked: Vec<(&str, &str)> = asked.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    if !asked.is_empty() {
        found["log"] = scheduler.get(&[&path[..], &["log"]].concat(), &asked).await?;
    }
    if args.json {
        output::json(&found);
        return Ok(());
    }
    let rows = |key: &str| found[key].as_array().cloned().unwrap_or_default();
    for line in rows("log") {
        let text = |key: &str| table::cell(&line[key], "");
        output::line(format_args!(
            "{}  try {}  {:5}  {}",
            text("at"),
            text("attempt"),
            text("level"),
            text("line")
        ));
    }
    for attempt in rows("attempts") {
        let text = |key: &str| table::cell(&attempt[key], "");
        output::line(format_args!(
            "{}  try {}  {}{}",
            time_of(&attempt),
            text("attempt"),
            text("state"),
            reason(&attempt)
        ));
    }
    Ok(())
}

/// When the try ended, or began where it has not ended.
fn time_of(attempt: &Value) -> String {
    let ended = table::cell(&attempt["ended_at"], "");
    if ended.is_empty() { table::cell(&attempt["started_at"], "-") } else { ended }
}

fn reason(attempt: &Value) -> String {
    attempt["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default()
}
