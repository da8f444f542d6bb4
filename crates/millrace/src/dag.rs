//! `millrace dag`: what runs when.

use serde_json::{Map, Value, json};

use crate::address::Addresses;
use crate::cli::{Dag, DagListArgs, NamedArgs, PauseArgs, TriggerArgs};
use crate::failure::Failure;
use crate::rest::Rest;
use crate::run as runs;
use crate::{backfill, output, table};

mod next;
mod wait;

/// Of a DAG, shown beside it.
const RUNS_SHOWN: &str = "10";

pub async fn run(addresses: &Addresses, asked: &Dag) -> Result<(), Failure> {
    match asked {
        Dag::List(args) => list(&addresses.scheduler()?, args).await,
        Dag::Show(args) => show(&addresses.scheduler()?, args).await,
        Dag::Trigger(args) => trigger(&addresses.scheduler()?, args).await,
        Dag::Backfill(args) => backfill::make(&addresses.scheduler()?, args).await,
        Dag::Pause(args) => set(&addresses.scheduler()?, args, "pause").await,
        Dag::Unpause(args) => set(&addresses.scheduler()?, args, "unpause").await,
        Dag::Next(args) => next::run(addresses, args),
        Dag::Schema => {
            output::json(&pipeline::json_schema::dag());
            Ok(())
        }
        Dag::Reference => {
            output::line(pipeline::json_schema::reference().trim_end());
            Ok(())
        }
    }
}

async fn list(scheduler: &Rest, args: &DagListArgs) -> Result<(), Failure> {
    let query: Vec<(&str, &str)> = args.tag.as_deref().map(|tag| ("tag", tag)).into_iter().collect();
    let dags = scheduler.get(&["api", "v1", "dags"], &query).await?;
    let rows = dags.as_array().map(Vec::as_slice).unwrap_or_default();
    if args.json {
        output::json(&dags);
    } else if rows.is_empty() {
        output::line("No DAG is published. `millrace check` says whether the files are right.");
    } else {
        output::line(table::of_objects(
            &["name", "pipeline", "paused", "next_at", "last_logical", "owner"],
            rows,
        ));
    }
    Ok(())
}

async fn show(scheduler: &Rest, args: &NamedArgs) -> Result<(), Failure> {
    let dags = scheduler.get(&["api", "v1", "dags"], &[]).await?;
    let dags = dags.as_array().map(Vec::as_slice).unwrap_or_default();
    let dag =
        dags.iter().find(|dag| dag["name"] == args.name.as_str()).ok_or_else(|| unknown(&args.name, dags))?;
    let newest = scheduler.get(&["api", "v1", "runs"], &[("dag", &args.name), ("limit", RUNS_SHOWN)]).await?;
    if args.json {
        output::json(&json!({ "dag": dag, "runs": newest }));
        return Ok(());
    }
    output::line(table::of_fields(dag));
    output::line("");
    runs::print(&newest);
    Ok(())
}

fn unknown(name: &str, dags: &[Value]) -> Failure {
    let known: Vec<&str> = dags.iter().filter_map(|dag| dag["name"].as_str()).collect();
    Failure::WrongInput(format!("there is no DAG \"{name}\"; published are: {}", known.join(", ")))
}

async fn trigger(scheduler: &Rest, args: &TriggerArgs) -> Result<(), Failure> {
    let params: Map<String, Value> = args.params.iter().cloned().collect();
    let body = json!({
        "idempotency_key": args.key, "logical_time": args.logical_time, "params": params,
        "who": args.hand.who, "why": args.hand.why,
    });
    let made = scheduler.post(&["api", "v1", "dags", &args.name, "runs"], &body).await?;
    let id = table::cell(&made["run_id"], "?");
    if args.wait {
        return wait::until_ended(scheduler, &id, args).await;
    }
    if args.json {
        output::json(&made);
    } else {
        let word = if made["new"] == true { "made" } else { "there was already" };
        output::line(format_args!("{word} run {id}; `millrace run show {id}` shows it"));
    }
    Ok(())
}

async fn set(scheduler: &Rest, args: &PauseArgs, action: &str) -> Result<(), Failure> {
    let body = json!({ "who": args.hand.who, "why": args.hand.why });
    for name in &args.names {
        let answer = scheduler.post(&["api", "v1", "dags", name, action], &body).await?;
        if args.json {
            output::json(&answer);
        } else {
            output::line(format_args!("{name} is {}", if action == "pause" { "paused" } else { "on" }));
        }
    }
    Ok(())
}
