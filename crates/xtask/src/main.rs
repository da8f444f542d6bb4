//! Chores of the repository: `target/debug/xtask test`.

mod failures;
mod story;

use anyhow::{Context, bail};
use clap::Parser;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    env,
    path::Path,
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};
use test_support::OwnStack;
use tokio::{
    process::{Child, Command},
    signal::ctrl_c,
    time::timeout,
};

#[derive(Parser)]
#[command(about = "Chores of the repository")]
enum Chore {
    /// Starts the real servers and our processes once, runs every test on them, stops them.
    Test {
        /// Handed to `cargo test`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Loads a system that runs already until it is told to end, then checks every id of the load.
    Story(story::Asked),
}

/// All tests together take some twenty minutes; what hangs is stopped, so that what else there is to see is seen.
const TESTS_MAX: Duration = Duration::from_mins(45);
/// What the tests have printed is read by then, unless something that they have started holds their output.
const PRINTED_MAX: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Chore::parse() {
        Chore::Test { arguments } => test(&arguments).await,
        Chore::Story(asked) => story::tell(&asked).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("xtask: {cause:#}");
            ExitCode::FAILURE
        }
    }
}

async fn test(arguments: &[String]) -> anyhow::Result<()> {
    let root = env::current_dir()?;
    let programs = root.join("target/debug");
    let stack = OwnStack::new(&programs.join("millrace"), &root.join("target/test"), Path::new("config"))
        .context("prepare a stack")?;
    stack.up()?;
    let started = Instant::now();
    let mut child = Command::new("cargo")
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(arguments)
        .env("MILLRACE_TEST_STACK", stack.file())
        .env("MILLRACE_TEST_BINARIES", programs)
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .context("run cargo test")?;
    let failed =
        child.stdout.take().map(|printed| tokio::spawn(failures::pass_on(printed, std::io::stdout())));
    let tested = end_of(child).await.and_then(|()| match stack.panics() {
        none if none.is_empty() => Ok(()),
        panics => bail!("processes of the stack panicked:\n{}", panics.join("\n")),
    });
    eprintln!("xtask: the tests took {} s", started.elapsed().as_secs());
    if tested.is_err() {
        stack.show_logs();
    }
    stack.wipe()?;
    if let (Err(_), Some(failed)) = (&tested, failed) {
        timeout(PRINTED_MAX, failed).await??.iter().for_each(|line| eprintln!("{line}"));
    }
    tested
}

/// Waits for the tests. They are stopped, with all that they have started, where they hang or the user asks for it.
async fn end_of(mut child: Child) -> anyhow::Result<()> {
    let group =
        child.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("the tests' process group")?;
    let cause = tokio::select! {
        ended = timeout(TESTS_MAX, child.wait()) => match ended {
            Ok(status) => return if status?.success() { Ok(()) } else { bail!("tests failed") },
            Err(_) => format!("the tests did not end within {TESTS_MAX:?}: the last one named above hangs"),
        },
        _ = ctrl_c() => "interrupted".into(),
    };
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait().await;
    bail!(cause)
}
