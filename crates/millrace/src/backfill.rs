//! `millrace backfill`, and `millrace dag backfill`: ranges of due times.

use serde_json::{Value, json};

use crate::address::Addresses;
use crate::cli::{Backfill, BackfillActArgs, BackfillArgs, BackfillListArgs};
use crate::failure::Failure;
use crate::rest::Rest;
use crate::{output, table};

pub async fn run(addresses: &Addresses, asked: &Backfill) -> Result<(), Failure> {
    let scheduler = addresses.scheduler()?;
    match asked {
        Backfill::List(args) => list(&scheduler, args).await,
        Backfill::Show(args) => show(&scheduler, &args.id.to_string(), args.json).await,
        Backfill::Pause(args) => act(&scheduler, args, "pause", "paused").await,
        Backfill::Resume(args) => act(&scheduler, args, "resume", "on").await,
        Backfill::Cancel(args) => act(&scheduler, args, "cancel", "cancelled").await,
    }
}

/// Asks for a range, or with `--dry-run` what it would do.
pub async fn make(scheduler: &Rest, args: &BackfillArgs) -> Result<(), Failure> {
    let body = json!({
        "dag": args.name, "from": args.from, "to": args.to, "reprocess": args.reprocess,
        "max_active": args.max_active, "dry_run": args.dry_run, "who": args.hand.who, "why": args.hand.why,
    });
    let answer = scheduler.post(&["api", "v1", "backfills"], &body).await?;
    if args.json {
        output::json(&answer);
    } else if args.dry_run {
        print_plan(answer["runs"].as_array().map(Vec::as_slice).unwrap_or_default());
    } else {
        print_done(&answer);
    }
    Ok(())
}

/// A line for each due time of the range.
fn print_plan(runs: &[Value]) {
    if runs.is_empty() {
        return output::line("No due time lies in the range.");
    }
    let columns = ["logical_time", "interval_start", "interval_end", "what", "state", "run_id"];
    output::line(table::of_objects(&columns, runs));
}

fn print_done(answer: &Value) {
    let made = answer["made"].as_array().map(Vec::as_slice).unwrap_or_default();
    made.iter().filter_map(Value::as_str).for_each(output::line);
    let (again, there) = (&answer["again"], &answer["there"]);
    let told = format!("{} runs made, {again} run again, {there} were there", made.len());
    match answer["backfill"].as_str() {
        Some(id) => output::line(format_args!("{told}; `millrace backfill show {id}` shows how they go")),
        None => output::line(format_args!("{told}: there was nothing to do")),
    }
}

async fn list(scheduler: &Rest, args: &BackfillListArgs) -> Result<(), Failure> {
    let limit = args.limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(args.dag.as_deref().map(|dag| ("dag", dag)));
    let found = scheduler.get(&["api", "v1", "backfills"], &query).await?;
    let rows: Vec<Value> = found.as_array().into_iter().flatten().map(flat).collect();
    if args.json {
        output::json(&found);
    } else if rows.is_empty() {
        output::line("There is no backfill. `millrace dag backfill NAME --from T --to T` makes one.");
    } else {
        let columns =
            ["id", "dag", "state", "from", "to", "queued", "running", "success", "failed", "cancelled"];
        output::line(table::of_objects(&columns, &rows));
    }
    Ok(())
}

/// Its counts beside its fields.
fn flat(backfill: &Value) -> Value {
    let mut row = backfill.clone();
    if let (Some(row), Some(runs)) = (row.as_object_mut(), backfill["runs"].as_object()) {
        row.remove("runs");
        row.extend(runs.clone());
    }
    row
}

async fn show(scheduler: &Rest, id: &str, as_json: bool) -> Result<(), Failure> {
    let found = scheduler.get(&["api", "v1", "backfills", id], &[]).await?;
    if as_json {
        output::json(&found);
    } else {
        output::line(table::of_fields(&flat(&found)));
    }
    Ok(())
}

async fn act(scheduler: &Rest, args: &BackfillActArgs, what: &str, word: &str) -> Result<(), Failure> {
    let id = args.id.to_string();
    let body = json!({ "who": args.hand.who, "why": args.hand.why });
    let answer = scheduler.post(&["api", "v1", "backfills", &id, what], &body).await?;
    if args.json {
        output::json(&answer);
    } else {
        output::line(format_args!("backfill {id} is {word}"));
    }
    Ok(())
}
