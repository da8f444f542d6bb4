//! What would run, and when: by the files, with the code that the scheduler uses.

use chrono::{SubsecRound as _, Utc};
use schedule::{History, Planned};
use serde_json::{Value, json};

use crate::address::Addresses;
use crate::cli::DagNextArgs;
use crate::failure::Failure;
use crate::{files, instant, output};

pub fn run(addresses: &Addresses, args: &DagNextArgs) -> Result<(), Failure> {
    let dag = files::find(addresses.config_dir(), "DAG", &args.name, |pipeline| {
        pipeline.dags.get(&args.name).cloned()
    })?;
    let planned = planned(&dag, args)?;
    if args.json {
        output::json(&planned.iter().map(object).collect());
        return Ok(());
    }
    planned.iter().map(line).for_each(output::line);
    if planned.is_empty() {
        eprintln!("millrace: {} has no due time after that: it runs when it is triggered", args.name);
    }
    Ok(())
}

/// The runs that are due now, then the next one.
fn planned(dag: &pipeline::Dag, args: &DagNextArgs) -> Result<Vec<Planned>, Failure> {
    let now = args.now.unwrap_or_else(|| Utc::now().trunc_subsecs(0));
    let timetable = dag.settings.timetable(args.start);
    let timetable = timetable.map_err(|cause| Failure::WrongInput(cause.to_string()))?;
    // Without --last the DAG is published this moment.
    let first_at = args.last.map_or(now, |(begin, _)| begin);
    let history = History { first_at, last: args.last, unpaused_at: None };
    let due = timetable.due(&history, now);
    // What is due now fires now. A backlog is made in parts: what is left of it fires as soon as it is looked at again.
    let at_the_earliest = |run: Planned| Planned { fires_at: run.fires_at.max(now), ..run };
    Ok(due.runs.into_iter().chain(due.next).map(at_the_earliest).collect())
}

/// Logical time, interval and fire time. The interval of an instant begins and ends with it.
fn line(run: &Planned) -> String {
    let (from, to) = run.interval.unwrap_or((run.logical_at, run.logical_at));
    let [logical, from, to, fires] = [run.logical_at, from, to, run.fires_at].map(instant::show);
    let told = if run.stale { "  not started: older than stale_after" } else { "" };
    format!("{logical}  {from}/{to}  {fires}{told}")
}

fn object(run: &Planned) -> Value {
    let (from, to) = run.interval.unwrap_or((run.logical_at, run.logical_at));
    json!({
        "logical_at": instant::show(run.logical_at),
        "interval_start": instant::show(from),
        "interval_end": instant::show(to),
        "fires_at": instant::show(run.fires_at),
        "stale": run.stale,
    })
}

#[cfg(test)]
mod tests;
