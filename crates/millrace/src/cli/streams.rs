//! Commands about jobs, topics, dead letters and sources.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{JsonArgs, NamedArgs};

#[derive(Debug, Subcommand)]
pub enum Job {
    /// List the jobs that the coordinator gives to workers
    #[command(after_help = "Example:\n  millrace job list")]
    List(JsonArgs),
    /// Show the slots of a job
    #[command(after_help = "Example:\n  millrace job show users_clean")]
    Show(NamedArgs),
    /// Say in words what a job does, from its files
    Explain(JobExplainArgs),
    /// Let workers run a job that was stopped
    #[command(after_help = "Example:\n  millrace job start users_clean")]
    Start(NamedArgs),
    /// Stop a job; it goes on where it was when it is started again
    #[command(after_help = "Example:\n  millrace job stop users_clean")]
    Stop(NamedArgs),
    /// Try a job alone, in memory, on scripted input
    Run(JobRunArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  millrace job explain signups_per_country --pipeline config/pipelines/users"
)]
pub struct JobExplainArgs {
    pub name: String,
    /// The folder of its pipeline; looked for in the configuration where absent
    #[arg(long, value_name = "DIR")]
    pub pipeline: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Of pipeline.toml only [streams] and [jobs] are needed. A step is a line of JSON: {\"in\": \"users\", \"row\": {}, \"partition\": 0},\n{\"flush\": true}, {\"idle\": \"users\", \"partition\": 0}, {\"restart\": true}, {\"end\": true}.\nExit code 1: the job failed; 2: wrong input, with file and line.\n\nExample:\n  millrace job run config/pipelines/users --job users_clean --steps steps.jsonl"
)]
pub struct JobRunArgs {
    /// The folder of the pipeline
    #[arg(value_name = "PIPELINE_DIR")]
    pub dir: PathBuf,
    /// Name of the job
    #[arg(long, value_name = "NAME")]
    pub job: String,
    /// File of steps; - is the standard input
    #[arg(long, value_name = "FILE")]
    pub steps: PathBuf,
    /// Rows that the job is given at once
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch_rows: u32,
    /// Slots of the keyed stage
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub slots: u32,
    /// Print late, dead and state rows after each flush
    #[arg(long)]
    pub counters: bool,
}

#[derive(Debug, Subcommand)]
pub enum Topic {
    /// List topics
    List(TopicListArgs),
    /// Show the partitions of a topic
    #[command(after_help = "Example:\n  millrace topic show users")]
    Show(NamedArgs),
    /// Print messages of a topic, decoded by the schema registry
    Read(TopicReadArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace topic list")]
pub struct TopicListArgs {
    /// Kafka's own topics too
    #[arg(long)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "What cannot be decoded is shown as it is, with the reason.\n\nExample:\n  millrace topic read users --from end --limit 5"
)]
pub struct TopicReadArgs {
    pub name: String,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<i32>,
    /// beginning, end (the last ones that are there), or an offset
    #[arg(long, value_name = "WHERE", default_value = "beginning", value_parser = ReadFrom::parse)]
    pub from: ReadFrom,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    Beginning,
    End,
    Offset(i64),
}

impl ReadFrom {
    fn parse(text: &str) -> Result<ReadFrom, String> {
        match text {
            "beginning" => Ok(ReadFrom::Beginning),
            "end" => Ok(ReadFrom::End),
            number => match number.parse() {
                Ok(offset) if offset >= 0 => Ok(ReadFrom::Offset(offset)),
                _ => Err("write beginning, end, or an offset from 0".into()),
            },
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum DeadLetter {
    /// List the newest dead letters with their reasons
    List(DeadListArgs),
    /// Show a dead letter: its headers and its payload
    Show(DeadShowArgs),
    /// Send dead letters back to where they were meant for, each once
    Replay(DeadReplayArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace deadletter list --stream users --limit 20")]
pub struct DeadListArgs {
    /// Only those of this stream
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// At most so many of each topic
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace deadletter show users-dead 0 17")]
pub struct DeadShowArgs {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("which").required(true).args(["offset", "all", "reason"]),
    after_help = "Example:\n  millrace deadletter replay users-dead --partition 0 --offset 17 --edit corrected.json\n  millrace deadletter replay users-dead --reason \"has no @\""
)]
pub struct DeadReplayArgs {
    pub topic: String,
    /// Of the one letter
    #[arg(long, value_name = "N", requires = "offset")]
    pub partition: Option<i32>,
    /// The one letter at this offset
    #[arg(long, value_name = "N", requires = "partition")]
    pub offset: Option<i64>,
    /// All letters of the topic
    #[arg(long)]
    pub all: bool,
    /// Those whose reason holds this text
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Send this JSON record instead of what the one letter holds
    #[arg(long, value_name = "FILE", requires = "offset")]
    pub edit: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Source {
    /// List the sources of the configuration
    #[command(after_help = "Example:\n  millrace source list")]
    List(JsonArgs),
    /// Show a source of the configuration
    #[command(after_help = "Example:\n  millrace source show users")]
    Show(NamedArgs),
    /// Fetch a source once, as a task of a DAG would
    Fetch(FetchArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace source fetch users --dry-run")]
pub struct FetchArgs {
    pub name: String,
    /// Send nothing and keep the cursor: print the records that would be sent
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
