//! What would run, and when: by the files, with the code that the scheduler uses.

use chrono::{DateTime, SubsecRound as _, Utc};
use schedule::{Calendar, Due, due};
use serde_json::json;

use crate::address::Addresses;
use crate::cli::DagNextArgs;
use crate::failure::Failure;
use crate::{files, instant, output};

/// A run that would be made.
#[derive(Debug, PartialEq)]
struct Planned {
    logical_at: DateTime<Utc>,
    fires_at: DateTime<Utc>,
}

pub fn run(addresses: &Addresses, args: &DagNextArgs) -> Result<(), Failure> {
    let dag = files::find(addresses.config_dir(), "DAG", &args.name, |pipeline| {
        pipeline.dags.get(&args.name).cloned()
    })?;
    let planned = planned(&dag, args, args.now.unwrap_or_else(|| Utc::now().trunc_subsecs(0)))?;
    if args.json {
        let show = |it: &Planned| json!({ "logical_at": instant::show(it.logical_at), "fires_at": instant::show(it.fires_at) });
        output::json(&planned.iter().map(show).collect());
        return Ok(());
    }
    for it in &planned {
        output::line(format_args!("{}  {}", instant::show(it.logical_at), instant::show(it.fires_at)));
    }
    if planned.is_empty() {
        eprintln!("millrace: {} has no due time: it runs when it is triggered", args.name);
    }
    Ok(())
}

/// The runs that are due now, then the next one.
fn planned(dag: &pipeline::Dag, args: &DagNextArgs, now: DateTime<Utc>) -> Result<Vec<Planned>, Failure> {
    let settings = &dag.settings;
    let calendar = Calendar::new(&settings.schedule, &settings.timezone, settings.dst_overlap);
    let calendar = calendar.map_err(|cause| Failure::WrongInput(cause.to_string()))?;
    let start = args.start.or(settings.start).or(args.last).unwrap_or(now);
    let Due { mut runs, next } = due(&calendar, settings.catchup, start, args.last, now);
    if settings.run_immediately && args.last.is_none() && runs.is_empty() {
        runs.push(start);
    }
    let made_now = runs.into_iter().map(|logical_at| Planned { logical_at, fires_at: now });
    // A backlog is made in parts: what is left of it fires as soon as it is looked at again.
    let later = next.map(|logical_at| Planned { logical_at, fires_at: logical_at.max(now) });
    Ok(made_now.chain(later).collect())
}

#[cfg(test)]
mod tests;
