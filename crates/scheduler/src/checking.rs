//! Whether pipelines compile, asked of a process that ends with its answer.
//!
//! It is a worker's program, called with [`pipeline::CHECK_BUNDLES`]: what checks is what will run. Planning SQL takes 50 MB of
//! code that is needed here only while a file changes, and a planner that panics would take the runs with it.

use pipeline::{Bundle, CHECK_BUNDLES, Pipeline, Problem};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncWriteExt, process::Command};

/// A job is planned in some milliseconds.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Why there is no answer. It says nothing about the pipelines.
#[derive(Debug, thiserror::Error)]
pub enum CheckingError {
    #[error(
        "{program} can't be asked whether pipelines compile: {cause}. Set `worker` in config/scheduler.toml to a worker's program"
    )]
    Start { program: String, cause: std::io::Error },
    #[error("the process that compiles pipelines did not answer: {0}")]
    Io(#[from] std::io::Error),
    #[error("the process that compiles pipelines did not answer within {ANSWER_MAX:?}")]
    Slow,
    #[error("the process that compiles pipelines failed: {0}")]
    Failed(String),
}

/// The program that is asked: the setting, else `worker` beside this program.
pub fn program(setting: &str) -> std::io::Result<PathBuf> {
    match setting {
        "" => Ok(std::env::current_exe()?.with_file_name("worker")),
        program => Ok(program.into()),
    }
}

/// What is wrong with each bundle, in their order.
pub async fn check(
    program: &Path,
    bundles: &[&Bundle],
) -> Result<Vec<Result<Pipeline, Vec<Problem>>>, CheckingError> {
    let mut command = Command::new(program);
    command.arg(CHECK_BUNDLES).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = command.kill_on_drop(true).spawn();
    let mut child =
        started.map_err(|cause| CheckingError::Start { program: program.display().to_string(), cause })?;
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
