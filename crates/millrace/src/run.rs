//! `millrace run`: runs of DAGs.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::address::Addresses;
use crate::cli::{BulkArgs, CancelArgs, ClearArgs, Run, RunListArgs};
use crate::failure::Failure;
use crate::rest::Rest;
use crate::{output, table};

pub async fn run(addresses: &Addresses, asked: &Run) -> Result<(), Failure> {
    let scheduler = addresses.scheduler()?;
    match asked {
        Run::List(args) => list(&scheduler, args).await,
        Run::Show(args) => show(&scheduler, &args.id, args.json).await,
        Run::Cancel(args) => cancel(&scheduler, args).await,
        Run::Clear(args) => clear(&scheduler, args).await,
        Run::Bulk(args) => bulk(&scheduler, args).await,
    }
}

async fn list(scheduler: &Rest, args: &RunListArgs) -> Result<(), Failure> {
    let limit = args.limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(args.dag.as_deref().map(|dag| ("dag", dag)));
    query.extend(args.state.as_deref().map(|state| ("state", state)));
    let before = args.before.map(|id| id.to_string());
    query.extend(before.as_deref().map(|id| ("before", id)));
    let runs = scheduler.get(&["api", "v1", "runs"], &query).await?;
    if args.json {
        output::json(&runs)
    } else {
        print(&runs)
    }
    Ok(())
}

/// The newest first.
pub fn print(runs: &Value) {
    match runs.as_array().map(Vec::as_slice).unwrap_or_default() {
        [] => output::line("There is no run yet. `millrace dag trigger NAME` makes one."),
        rows => output::line(table::of_objects(
            &["id", "dag", "state", "cause", "logical_at", "started_at", "ended_at", "reason"],
            rows,
        )),
    }
}

async fn show(scheduler: &Rest, id: &Uuid, as_json: bool) -> Result<(), Failure> {
    let found = scheduler.get(&["api", "v1", "runs", &id.to_string()], &[]).await?;
    if as_json {
        output::json(&found)
    } else {
        print_one(&found)
    }
    Ok(())
}

/// A run and its tasks, the first started first.
pub fn print_one(found: &Value) {
    output::line(table::of_fields(&found["run"]));
    output::line("");
    let mut tasks = found["tasks"].as_array().cloned().unwrap_or_default();
    // What has not started has no time: it comes last.
    tasks.sort_by_key(|task| (task["started_at"].is_null(), table::cell(&task["started_at"], "")));
    output::line(table::of_objects(
        &["name", "kind", "state", "attempt", "started_at", "ended_at", "reason"],
        &tasks,
    ));
    if let Some(actions) = found["actions"].as_array().filter(|actions| !actions.is_empty()) {
        output::line("");
        output::line(table::of_objects(&["at", "who", "what", "task", "why"], actions));
    }
}

async fn cancel(scheduler: &Rest, args: &CancelArgs) -> Result<(), Failure> {
    let id = args.id;
    let body = json!({ "who": args.hand.who, "why": args.hand.why });
    let answer = scheduler.post(&["api", "v1", "runs", &id.to_string(), "cancel"], &body).await?;
    if args.json {
        output::json(&answer);
    }
    match answer["cancelled"] == true {
        true if args.json => {}
        true => output::line(format_args!("run {id} is cancelled")),
        false => {
            return Err(Failure::Failed(format!(
                "run {id} has ended already, or there is none; `millrace run list` shows them"
            )));
        }
    }
    Ok(())
}

async fn clear(scheduler: &Rest, args: &ClearArgs) -> Result<(), Failure> {
    let id = args.id;
    let body = json!({
        "tasks": (!args.which.tasks.is_empty()).then_some(&args.which.tasks),
        "downstream": args.which.downstream, "upstream": args.which.upstream,
        "only_failed": !args.all && (args.only_failed || args.which.tasks.is_empty()),
        "version": version(args.which.newest), "who": args.hand.who, "why": args.hand.why,
    });
    let answer = scheduler.post(&["api", "v1", "runs", &id.to_string(), "clear"], &body).await?;
    if args.json {
        output::json(&answer);
    } else {
        output::line(format_args!("{} tasks of run {id} run again", answer["tasks"]));
    }
    Ok(())
}

fn version(newest: bool) -> &'static str {
    if newest { "newest" } else { "same" }
}

/// A thousand runs are cleared in several seconds.
const BULK_MAX: Duration = Duration::from_secs(30);

async fn bulk(scheduler: &Rest, args: &BulkArgs) -> Result<(), Failure> {
    let which = json!({ "dag": args.dag, "state": args.state, "from": args.from, "to": args.to });
    let body = json!({
        "what": args.what, "runs": (!args.runs.is_empty()).then_some(&args.runs),
        "where": args.runs.is_empty().then_some(which),
        "tasks": (!args.which.tasks.is_empty()).then_some(&args.which.tasks), "state": args.mark,
        "downstream": args.which.downstream, "upstream": args.which.upstream, "version": version(args.which.newest),
        "who": args.hand.who, "why": args.hand.why,
    });
    let answer = scheduler.post_within(BULK_MAX, &["api", "v1", "bulk"], &body).await?;
    let answers = answer["answers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if args.json {
        output::json(&answer);
    } else {
        answers.iter().for_each(|answer| output::line(bulk_line(answer)));
        output::line(format_args!("{}: {} of {} runs", args.what, answer["done"], answer["asked"]));
    }
    match answers.iter().filter(|answer| answer["done"] != true).count() {
        0 => Ok(()),
        left => Err(Failure::Failed(format!("to {left} runs it could not be done"))),
    }
}

fn bulk_line(answer: &Value) -> String {
    let text = |key: &str| table::cell(&answer[key], "");
    let what = match (answer["done"] == true, answer["tasks"].is_null()) {
        (true, true) => "done".into(),
        (true, false) => format!("{} tasks run again", text("tasks")),
        (false, _) => text("error"),
    };
    format!("{}  {what}", text("run_id"))
}
