//! Which commands there are, and what they take.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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

/// Which stack is meant. Every command takes it.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Folder of the running stack: its data, logs and secrets
    #[arg(long, global = true, value_name = "DIR", env = "MILLRACE_HOME", default_value = ".millrace")]
    pub home: PathBuf,
    /// Folder with millrace.toml, a file per process, and pipelines/
    #[arg(long, global = true, value_name = "DIR", env = "MILLRACE_CONFIG_DIR", default_value = "config")]
    pub config: PathBuf,
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
#[command(after_help = "Example:\n  millrace status --json")]
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
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_has_an_example_in_its_help() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Example:\n  millrace "), "{}: {help}", command.get_name());
            assert!(help.contains("--home"), "{}", command.get_name());
        }
    }
}
