//! Commands about DAGs, runs, tasks and cron expressions.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{BackfillArgs, NamedArgs};
use crate::instant;

#[derive(Debug, Subcommand)]
pub enum Dag {
    /// List the DAGs that are published
    #[command(after_help = "Example:\n  millrace dag list")]
    List(DagListArgs),
    /// Show a DAG and its newest runs
    #[command(after_help = "Example:\n  millrace dag show users")]
    Show(NamedArgs),
    /// Run a DAG now
    Trigger(TriggerArgs),
    /// Make a run for each due time that has passed
    Backfill(BackfillArgs),
    /// Let no due time become a run
    #[command(after_help = "Example:\n  millrace dag pause users")]
    Pause(PauseArgs),
    /// Let it go on; missed times follow the DAG's catchup
    #[command(after_help = "Example:\n  millrace dag unpause users")]
    Unpause(PauseArgs),
    /// Print what would run, and when, from the files and without any server
    Next(DagNextArgs),
    /// Print the JSON Schema of DAG files, for editors
    #[command(after_help = "Example:\n  millrace dag schema > dag.schema.json")]
    Schema,
    /// Print every key of a DAG file, for people
    #[command(after_help = "Example:\n  millrace dag reference > dag-reference.md")]
    Reference,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1: the run that was waited for did not succeed.\n\nExample:\n  millrace dag trigger users --wait"
)]
pub struct TriggerArgs {
    pub name: String,
    /// Wait until the run has ended, and show its tasks
    #[arg(long)]
    pub wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// Two triggers of a DAG with the same key make one run
    #[arg(long)]
    pub key: Option<String>,
    /// What the run is for, RFC 3339; now where absent
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    pub logical_time: Option<DateTime<Utc>>,
    /// A value for a parameter of the DAG, as JSON or as plain text; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub params: Vec<(String, serde_json::Value)>,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DagListArgs {
    /// Only DAGs with this tag
    #[arg(long)]
    pub tag: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Of pausing DAGs and of letting them go on
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// One DAG, or several
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Each line: the logical time of a run, its interval (an instant begins and ends with itself), and when it would be made: first what is due now, then the next one. Times are RFC 3339; seconds may be left out.\n\nExample:\n  millrace dag next users_daily --now 2026-03-01T00:00Z --last 2026-02-27T00:10Z"
)]
pub struct DagNextArgs {
    pub name: String,
    /// The moment at which is looked; now where absent
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    pub now: Option<DateTime<Utc>>,
    /// Logical time of the newest run, or its interval as FROM/TO; none where absent
    #[arg(long, value_name = "T", value_parser = instant::interval)]
    pub last: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Nothing runs before, and intervals are counted from it; where absent `start` of the file, else --last, else --now
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    pub start: Option<DateTime<Utc>>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Run {
    /// List runs, the newest first
    List(RunListArgs),
    /// Show a run and its tasks
    #[command(after_help = "Example:\n  millrace run show 0192f0c1-0000-7000-8000-000000000000")]
    Show(RunIdArgs),
    /// End a run: its open tasks are not run any more
    #[command(after_help = "Example:\n  millrace run cancel 0192f0c1-0000-7000-8000-000000000000")]
    Cancel(CancelArgs),
    /// Run tasks of a run again: those that did not succeed, or those that are named
    Clear(ClearArgs),
    /// Do the same to many runs, 1000 at most
    Bulk(BulkArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "clear: named tasks, or all, run again; retry: those of them that did not succeed. Each run is written down by itself. Exit code 1: to some of them it could not be done.\n\nExample:\n  millrace run bulk retry --dag users --state failed --from 2026-03-01T00:00Z --why \"the API was down\""
)]
pub struct BulkArgs {
    #[arg(value_parser = ["clear", "retry", "mark", "cancel"])]
    pub what: String,
    /// This run; may be given several times
    #[arg(long = "run", value_name = "ID", conflicts_with_all = ["dag", "state", "from", "to"])]
    pub runs: Vec<Uuid>,
    /// Runs of this DAG
    #[arg(long, value_name = "NAME")]
    pub dag: Option<String>,
    /// Runs in this state: queued, running, success, failed, cancelled
    #[arg(long)]
    pub state: Option<String>,
    /// Runs for this logical time and later ones, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    pub from: Option<DateTime<Utc>>,
    /// Runs for this logical time and earlier ones
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    pub to: Option<DateTime<Utc>>,
    #[command(flatten)]
    pub which: WhichArgs,
    /// To mark: the end that the tasks are given
    #[arg(long = "as", value_name = "STATE", value_parser = ["success", "failed", "skipped"])]
    pub mark: Option<String>,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CancelArgs {
    pub id: Uuid,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which tasks of a run, and as which version they run again
#[derive(Debug, Args)]
pub struct WhichArgs {
    /// Only this task; may be given several times
    #[arg(long = "task", value_name = "NAME")]
    pub tasks: Vec<String>,
    /// Also what waits for them
    #[arg(long)]
    pub downstream: bool,
    /// Also what they wait for
    #[arg(long)]
    pub upstream: bool,
    /// Go on with the newest version of the DAG
    #[arg(long)]
    pub newest: bool,
}

/// Who acts, and why: it is written down, and shown beside the run
#[derive(Debug, Args)]
pub struct HandArgs {
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// Who; the user's name where absent
    #[arg(long, value_name = "NAME", env = "USER")]
    pub who: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  millrace run clear 0192f0c1-0000-7000-8000-000000000000 --task load --downstream --why \"the table was wrong\""
)]
pub struct ClearArgs {
    pub id: Uuid,
    #[command(flatten)]
    pub which: WhichArgs,
    /// Of named tasks, only those that did not succeed
    #[arg(long)]
    pub only_failed: bool,
    /// All tasks of the run, those that succeeded too
    #[arg(long, conflicts_with = "tasks")]
    pub all: bool,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace run list --dag users --limit 5")]
pub struct RunListArgs {
    /// Only runs of this DAG
    #[arg(long, value_name = "NAME")]
    pub dag: Option<String>,
    /// Only runs in this state: queued, running, success, failed, cancelled
    #[arg(long)]
    pub state: Option<String>,
    /// Only runs older than this one: the last of a page asks for the next
    #[arg(long, value_name = "ID")]
    pub before: Option<Uuid>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RunIdArgs {
    pub id: Uuid,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Task {
    /// Print the log of a task: the last 1000 lines over all its tries
    Log(TaskLogArgs),
    /// Give a task an end: success, failed or skipped
    Mark(MarkArgs),
    /// Say yes to a task that asks a person
    #[command(
        after_help = "Example:\n  millrace task approve 0192f0c1-0000-7000-8000-000000000000 ask --why \"looked at it\""
    )]
    Approve(DecideArgs),
    /// Say no to a task that asks a person
    #[command(
        after_help = "Example:\n  millrace task reject 0192f0c1-0000-7000-8000-000000000000 ask --why \"too few rows\""
    )]
    Reject(DecideArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "What still runs of the task is stopped, and its answer refused.\n\nExample:\n  millrace task mark 0192f0c1-0000-7000-8000-000000000000 load skipped --why \"loaded by hand\""
)]
pub struct MarkArgs {
    /// Id of the run
    pub run: Uuid,
    /// Name of the task
    pub task: String,
    #[arg(value_parser = ["success", "failed", "skipped"])]
    pub state: String,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DecideArgs {
    /// Id of the run
    pub run: Uuid,
    /// Name of the task
    pub task: String,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace task log 0192f0c1-0000-7000-8000-000000000000 fetch")]
pub struct TaskLogArgs {
    /// Id of the run
    pub run: Uuid,
    /// Name of the task
    pub task: String,
    /// Only lines of this try
    #[arg(long, value_name = "N")]
    pub attempt: Option<i32>,
    /// Only lines of this level and graver ones
    #[arg(long, value_parser = ["error", "warn", "info", "debug"])]
    pub level: Option<String>,
    /// Only lines with this text, in whatever case; with a choice like this the first 1000 lines are printed
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Cron {
    /// Print the next instants of a cron expression, in UTC
    Next(CronNextArgs),
}

/// `rows=5` is a number, `day=today` is text: so is what is no JSON.
fn parameter(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.into(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

/// More lines than this are read by nobody.
const COUNT_MAX: u64 = 10_000;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  millrace cron next \"0 2 * * *\" --tz Europe/Zurich --after 2023-03-24T00:00:00Z --count 4"
)]
pub struct CronNextArgs {
    /// Five or six fields, or a nickname such as @daily
    #[arg(value_name = "EXPR")]
    pub expression: String,
    /// A time zone of the IANA database
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    /// Only instants after this one, RFC 3339; now where absent
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    pub after: Option<DateTime<Utc>>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=COUNT_MAX))]
    pub count: u64,
    /// What a fixed time means in the night when it comes twice
    #[arg(long, value_name = "WHICH", default_value = "first", value_parser = overlap)]
    pub overlap: schedule::Overlap,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn overlap(text: &str) -> Result<schedule::Overlap, String> {
    match text {
        "first" => Ok(schedule::Overlap::First),
        "last" => Ok(schedule::Overlap::Last),
        "both" => Ok(schedule::Overlap::Both),
        _ => Err("write first, last or both".into()),
    }
}
