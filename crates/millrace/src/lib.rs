//! The command line: starts and stops the whole system on one machine, and asks it.
//!
//! `cli` says which commands there are; each command has a module of its own with one function `run`.

mod cli;
mod down;
mod failure;
mod logs;
mod ours;
mod output;
mod settings;
mod status;
mod table;
mod up;

pub use cli::Cli;
pub use failure::Failure;

use cli::Command;

/// Does what was asked.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Up(args) => up::run(&cli.place, &args).await,
        Command::Down(args) => down::run(&cli.place, &args).await,
        Command::Status(args) => status::run(&cli.place, &args),
        Command::Logs(args) => logs::run(&cli.place, &args).await,
    }
}
