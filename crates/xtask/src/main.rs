//! Chores of the repository: `target/debug/xtask test`.

use anyhow::{Context, bail};
use clap::Parser;
use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
};
use test_support::OwnStack;

#[derive(Parser)]
#[command(about = "Chores of the repository")]
enum Chore {
    /// Starts the real servers and our processes once, runs every test on them, stops them.
    Test {
        /// Handed to `cargo test`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let Chore::Test { arguments } = Chore::parse();
    match test(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("xtask: {cause:#}");
            ExitCode::FAILURE
        }
    }
}

fn test(arguments: &[String]) -> anyhow::Result<()> {
    let root = env::current_dir()?;
    let programs = root.join("target/debug");
    let stack = OwnStack::new(&programs.join("millrace"), &root.join("target/test"), Path::new("config"))
        .context("prepare a stack")?;
    stack.up()?;
    let tested = Command::new("cargo")
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(arguments)
        .env("MILLRACE_TEST_STACK", stack.file())
        .env("MILLRACE_TEST_BINARIES", programs)
        .status()
        .context("run cargo test")?;
    if !tested.success() {
        stack.show_logs();
    }
    stack.wipe()?;
    if tested.success() { Ok(()) } else { bail!("tests failed") }
}
