//! The command line: starts and stops the whole system on one machine, and asks it.
//!
//! `cli` says which commands there are; each command has a module of its own with one function `run`.

mod cli;
mod failure;

mod down;
mod logs;
mod status;
mod up;

mod backfill;
mod bench;
mod check;
mod cql;
mod cron;
mod dag;
mod deadletter;
mod job;
mod named;
mod run;
mod source;
mod sql;
mod task;
mod topic;

// Finding and asking.
mod address;
mod files;
mod messages;
mod ours;
mod rest;
mod settings;

// Reading and printing.
mod instant;
mod output;
mod table;

pub use cli::Cli;
pub use failure::Failure;

use address::Addresses;
use cli::Command;
use pipeline::named::Named;
use std::process::ExitCode;

/// The command, from its line to its exit code. It is in the library, or the program beside it would compile all of it again.
#[tokio::main]
pub async fn main() -> ExitCode {
    // The first HTTP client would panic without it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Cli::from_command_line()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("millrace: {failure}");
            failure.exit_code()
        }
    }
}

/// Does what was asked.
async fn run(cli: Cli) -> Result<(), Failure> {
    let place = &cli.place;
    let addresses = Addresses::of(place);
    match &cli.command {
        Command::Up(args) => up::run(place, args).await,
        Command::Down(args) => down::run(place, args).await,
        Command::Status(args) => status::run(place, &addresses, args).await,
        Command::Logs(args) => logs::run(place, args).await,
        Command::Check(args) => check::run(place, args).await,
        Command::Cql(args) => cql::run(&addresses, args).await,
        Command::Sql(args) => sql::run(&addresses, args).await,
        Command::Dag(asked) => dag::run(&addresses, asked).await,
        Command::Run(asked) => run::run(&addresses, asked).await,
        Command::Backfill(asked) => backfill::run(&addresses, asked).await,
        Command::Task(asked) => task::run(&addresses, asked).await,
        Command::Connection(asked) => named::run(&addresses, Named::Connection, asked).await,
        Command::Variable(asked) => named::run(&addresses, Named::Variable, asked).await,
        Command::Cron(asked) => cron::run(asked),
        Command::Job(asked) => job::run(&addresses, asked).await,
        Command::Topic(asked) => topic::run(&addresses, asked).await,
        Command::Deadletter(asked) => deadletter::run(&addresses, asked).await,
        Command::Source(asked) => source::run(&addresses, asked).await,
        Command::Bench(asked) => bench::run(asked).await,
    }
}
