//! Whether pipelines compile, asked of a process that ends with its answer.
//!
//! It is this program again, called with [`ARGUMENT`]. Planning SQL takes some 40 MB of code that is needed only while a file
//! changes, and a planner that panics or takes all memory would take the runs with it.

use pipeline::{Bundle, Pipeline, Problem};
use std::{
    io::{Read, Write},
    process::{ExitCode, Stdio},
    time::Duration,
};
use tokio::{io::AsyncWriteExt, process::Command};

/// What the program is called with to be that process.
pub const ARGUMENT: &str = "check-bundles";
/// The program itself, also when its file was replaced meanwhile.
const PROGRAM: &str = "/proc/self/exe";
/// A job is planned in some milliseconds.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Why there is no answer. It says nothing about the pipelines.
#[derive(Debug, thiserror::Error)]
pub enum CheckingError {
    #[error("the process that compiles pipelines did not start or did not answer: {0}")]
    Io(#[from] std::io::Error),
    #[error("the process that compiles pipelines did not answer within {ANSWER_MAX:?}")]
    Slow,
    #[error("the process that compiles pipelines failed: {0}")]
    Failed(String),
}

/// What is wrong with each bundle, in their order.
pub async fn check(bundles: &[&Bundle]) -> Result<Vec<Result<Pipeline, Vec<Problem>>>, CheckingError> {
    let mut command = Command::new(PROGRAM);
    command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    let question = serde_json::to_vec(bundles).map_err(std::io::Error::from)?;
    if let Some(mut input) = child.stdin.take() {
        // It reads all before it answers, so neither waits for the other.
        input.write_all(&question).await?;
    }
    let output = tokio::time::timeout(ANSWER_MAX, child.wait_with_output()).await;
    let output = output.map_err(|_| CheckingError::Slow)??;
    let failed = |cause: String| {
        let last = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
        CheckingError::Failed(format!("{cause} {last}"))
    };
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let found: Vec<Vec<Problem>> =
        serde_json::from_slice(&output.stdout).map_err(|cause| failed(cause.to_string()))?;
    let judge = |(bundle, problems): (&&Bundle, Vec<Problem>)| match problems.is_empty() {
        true => Pipeline::parse(bundle),
        false => Err(problems),
    };
    Ok(bundles.iter().zip(found).map(judge).collect())
}

/// What that process does: bundles in, their problems out.
pub fn answer() -> ExitCode {
    let compiled = || -> std::io::Result<()> {
        let mut question = vec![];
        std::io::stdin().lock().read_to_end(&mut question)?;
        let bundles: Vec<Bundle> = serde_json::from_slice(&question)?;
        let problems = |bundle| query::check_bundle(bundle).err().unwrap_or_default();
        let answer: Vec<Vec<Problem>> = bundles.iter().map(problems).collect();
        std::io::stdout().lock().write_all(&serde_json::to_vec(&answer)?)
    };
    match compiled() {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}
