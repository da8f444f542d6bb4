//! `millrace job`: streaming jobs.

use serde_json::{Value, json};

use crate::address::Addresses;
use crate::cli::{Job, NamedArgs};
use crate::failure::Failure;
use crate::{output, table};

mod declared;
mod offline;

pub async fn run(addresses: &Addresses, asked: &Job) -> Result<(), Failure> {
    match asked {
        Job::List(args) => list(addresses, args.json).await,
        Job::Show(args) => show(addresses, args).await,
        Job::Explain(args) => offline::explain(addresses, args),
        Job::Start(args) => want(addresses, args, "running").await,
        Job::Stop(args) => want(addresses, args, "stopped").await,
        Job::Run(args) => offline::run(args).await,
    }
}

async fn slots(addresses: &Addresses) -> Result<Vec<Value>, Failure> {
    let view = addresses.coordinator()?.get(&["api", "v1", "jobs"], &[]).await?;
    Ok(view["slots"].as_array().cloned().unwrap_or_default())
}

async fn list(addresses: &Addresses, as_json: bool) -> Result<(), Failure> {
    let jobs = jobs(&slots(addresses).await?);
    if as_json {
        output::json(&json!(jobs));
    } else if jobs.is_empty() {
        output::line(
            "No job is to run. `millrace check` says whether the files are right, `millrace job start NAME` starts a stopped one.",
        );
    } else {
        output::line(table::of_objects(
            &["name", "slots", "running", "rows_in", "rows_out", "dead", "late", "lag", "reason"],
            &jobs,
        ));
    }
    Ok(())
}

/// The slots of each job added up.
fn jobs(slots: &[Value]) -> Vec<Value> {
    let mut names: Vec<&str> = slots.iter().filter_map(|slot| slot["job"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| job(name, &slots.iter().filter(|slot| slot["job"] == name).collect::<Vec<_>>()))
        .collect()
}

fn job(name: &str, slots: &[&Value]) -> Value {
    let sum = |key: &str| slots.iter().filter_map(|slot| slot[key].as_u64()).sum::<u64>();
    let any = |key: &str| slots.iter().map(|slot| slot[key].clone()).find(|value| !value.is_null());
    let running = slots.iter().filter(|slot| slot["state"] == "running").count();
    json!({
        "name": name, "slots": slots.len(), "running": running, "rows_in": sum("rows_in"), "rows_out": sum("rows_out"),
        "dead": sum("dead"), "late": sum("late"), "filtered": sum("filtered"), "state_rows": sum("state_rows"),
        // Of the whole job in every slot.
        "lag": any("lag"), "reason": any("reason"), "version": any("version"),
    })
}

async fn show(addresses: &Addresses, args: &NamedArgs) -> Result<(), Failure> {
    let all = slots(addresses).await?;
    let slots: Vec<Value> = all.iter().filter(|slot| slot["job"] == args.name.as_str()).cloned().collect();
    if slots.is_empty() {
        let known: Vec<String> = jobs(&all).iter().map(|job| table::cell(&job["name"], "")).collect();
        let (name, known) = (&args.name, known.join(", "));
        return Err(Failure::WrongInput(format!(
            "no job \"{name}\" is to run; there are: {known}. A stopped one is not shown"
        )));
    }
    if args.json {
        output::json(&json!({ "job": jobs(&slots).first(), "slots": slots }));
    } else {
        let keys = [
            "slot",
            "state",
            "worker",
            "rows_in",
            "rows_out",
            "dead",
            "late",
            "filtered",
            "state_rows",
            "lag",
            "watermark",
            "reason",
        ];
        output::line(table::of_objects(&keys, &slots));
    }
    Ok(())
}

/// Says what is wanted; the coordinator does it at its next round.
async fn want(addresses: &Addresses, args: &NamedArgs, wanted: &str) -> Result<(), Failure> {
    let (url, password) = addresses.metadata()?;
    let pool = postgres::connect_now(&url, &password).await?;
    let statement = "UPDATE job SET wanted = $2 WHERE name = $1 AND NOT retired";
    let done = sqlx::query(statement).bind(&args.name).bind(wanted).execute(&pool).await?;
    if done.rows_affected() == 0 {
        return Err(Failure::WrongInput(format!(
            "the coordinator knows no job \"{}\"; `millrace job list` shows those that run",
            args.name
        )));
    }
    if args.json {
        output::json(&json!({ "job": args.name, "wanted": wanted }));
    } else {
        output::line(format_args!("{} is to be {wanted}; `millrace job list` shows it", args.name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_the_sum_of_its_slots() {
        let slot = |job: &str, state: &str, rows: u64, lag: Option<u64>| json!({ "job": job, "state": state, "rows_in": rows, "lag": lag });
        let found = jobs(&[
            slot("b", "running", 1, Some(4)),
            slot("a", "running", 2, None),
            slot("b", "failed", 10, Some(4)),
        ]);
        let short: Vec<_> = found
            .iter()
            .map(|job| json!([job["name"], job["slots"], job["running"], job["rows_in"], job["lag"]]))
            .collect();
        assert_eq!(json!(short), json!([["a", 1, 1, 2, null], ["b", 2, 1, 11, 4]]));
    }
}
