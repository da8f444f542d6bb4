//! Which commands there are, and what they take.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

mod backfills;
mod named;
mod runs;
mod stores;
mod streams;

pub use backfills::{Backfill, BackfillActArgs, BackfillArgs, BackfillListArgs};
pub use named::{NamedValue, SetNamedArgs};
pub use runs::{
    BulkArgs, CancelArgs, ClearArgs, Cron, CronNextArgs, Dag, DagListArgs, DagNextArgs, DecideArgs, HandArgs,
    MarkArgs, PauseArgs, Run, RunIdArgs, RunListArgs, Task, TaskLogArgs, TriggerArgs,
};
pub use stores::{CheckArgs, CqlArgs, SqlArgs};
pub use streams::{
    DeadLetter, DeadListArgs, DeadReplayArgs, DeadShowArgs, FetchArgs, Job, JobExplainArgs, JobRunArgs,
    ReadFrom, Source, Topic, TopicListArgs, TopicReadArgs,
};

#[derive(Debug, Parser)]
#[command(
    name = "millrace",
    version,
    about = "From an API to Cassandra and PostgreSQL, on one machine or many."
)]
#[command(
    after_help = "Example:\n  millrace up                 starts everything and shows it\n  millrace up --detach && millrace status\n  millrace down"
)]
pub struct Cli {
    #[command(flatten)]
    pub place: Place,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line. A wrong one ends the program with exit code 2.
    pub fn from_command_line() -> Cli {
        let matches = Cli::command().get_matches();
        let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        cli.place.home_by_flag = matches.value_source("home") == Some(ValueSource::CommandLine);
        cli.place.config_by_default = matches.value_source("config") == Some(ValueSource::DefaultValue);
        cli
    }
}

/// Which stack is meant. Every command takes it.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Folder of the running stack: its data, logs and secrets
    #[arg(long, global = true, value_name = "DIR", env = "MILLRACE_HOME", default_value = ".millrace")]
    pub home: PathBuf,
    /// Folder with millrace.toml, a file per process, and pipelines/
    #[arg(long, global = true, value_name = "DIR", env = "MILLRACE_CONFIG_DIR", default_value = "config")]
    pub config: PathBuf,
    /// Whether `--home` was typed: then its stack goes before MILLRACE_* variables.
    #[arg(skip)]
    pub home_by_flag: bool,
    /// Whether nothing says where the configuration is: then a running stack knows better.
    #[arg(skip)]
    pub config_by_default: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the servers and our processes, and keep them running
    Up(UpArgs),
    /// Stop everything
    Down(DownArgs),
    /// Show what runs, and how it is
    Status(StatusArgs),
    /// Print the log of a process
    Logs(LogsArgs),
    /// Check the configuration and all pipelines, without any server
    Check(CheckArgs),
    /// Ask Cassandra
    Cql(CqlArgs),
    /// Ask PostgreSQL
    Sql(SqlArgs),
    /// DAGs: what runs when
    #[command(subcommand, after_help = "Example:\n  millrace dag trigger users --wait")]
    Dag(Dag),
    /// Runs of DAGs
    #[command(subcommand, after_help = "Example:\n  millrace run list --dag users")]
    Run(Run),
    /// Tasks of a run
    #[command(
        subcommand,
        after_help = "Example:\n  millrace task log 0192f0c1-0000-7000-8000-000000000000 fetch"
    )]
    Task(Task),
    /// Connections that DAGs name: hosts, users, passwords
    #[command(subcommand, after_help = "Example:\n  millrace connection set warehouse --file warehouse.json")]
    Connection(NamedValue),
    /// Variables that DAGs name
    #[command(subcommand, after_help = "Example:\n  millrace variable set region --file region.txt")]
    Variable(NamedValue),
    /// Ranges of due times that were asked for
    #[command(subcommand, after_help = "Example:\n  millrace backfill list")]
    Backfill(Backfill),
    /// Cron expressions
    #[command(subcommand, after_help = "Example:\n  millrace cron next \"0 2 * * *\" --tz Europe/Zurich")]
    Cron(Cron),
    /// Streaming jobs
    #[command(subcommand, after_help = "Example:\n  millrace job list")]
    Job(Job),
    /// Topics of Kafka
    #[command(subcommand, after_help = "Example:\n  millrace topic read users --limit 5")]
    Topic(Topic),
    /// Records that could not go on, with their reasons
    #[command(subcommand, after_help = "Example:\n  millrace deadletter list")]
    Deadletter(DeadLetter),
    /// Sources that are fetched
    #[command(subcommand, after_help = "Example:\n  millrace source fetch users --dry-run")]
    Source(Source),
    /// Measure how fast it is, on a stack of its own
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace bench worker --json")]
pub struct BenchArgs {
    /// The benchmark and its options; `millrace bench --help` after a build lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "NAME")]
    pub arguments: Vec<String>,
}

/// Of commands that only print data.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Of commands about one thing.
#[derive(Debug, Args)]
pub struct NamedArgs {
    pub name: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace up --detach --home /tmp/try")]
pub struct UpArgs {
    /// Return when all is healthy and leave it running
    #[arg(long)]
    pub detach: bool,
    /// Start a part only
    #[arg(long, value_name = "PART")]
    pub only: Option<Part>,
    /// The supervisor behind --detach: it has left the terminal
    #[arg(long, hide = true)]
    pub supervise: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// ZooKeeper, Kafka, Cassandra, the registry, PostgreSQL
    Servers,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace down --wipe        stops everything and deletes its data")]
pub struct DownArgs {
    /// Delete data, logs and secrets as well
    #[arg(long)]
    pub wipe: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Of a pipeline: `fetched` counts the fetches that are still remembered (one day); `in topic` what the topics of its\nsources hold now; `dead` what jobs and sinks gave up, and what the producer refused\nof those fetches (not of records that others posted to it; `millrace deadletter list` shows all).\n\nExample:\n  millrace status --json"
)]
pub struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace logs kafka -f")]
pub struct LogsArgs {
    /// Name of the process, as `millrace status` shows it
    pub name: String,
    /// Go on printing what is added
    #[arg(short, long)]
    pub follow: bool,
    /// How many lines of its end to print first
    #[arg(short = 'n', long, default_value_t = 100)]
    pub lines: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_an_example_in_its_help() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        cli.get_subcommands().for_each(check);
    }

    fn check(command: &clap::Command) {
        if command.get_name() == "help" {
            return;
        }
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Example:\n  millrace "), "{}: {help}", command.get_name());
        assert!(help.contains("--home"), "{}", command.get_name());
        command.get_subcommands().for_each(check);
    }
}
