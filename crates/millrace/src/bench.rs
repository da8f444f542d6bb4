//! `millrace bench`: a program of its own does it, so that this one stays without what only measuring needs.

use crate::{cli::BenchArgs, failure::Failure};
use std::path::Path;

const PROGRAM: &str = "millrace-bench";

pub async fn run(asked: &BenchArgs) -> Result<(), Failure> {
    let own = std::env::current_exe().map_err(Failure::io("find", Path::new("millrace's own program")))?;
    let program = own.with_file_name(PROGRAM);
    if !program.is_file() {
        let folder = program.parent().unwrap_or(Path::new("."));
        return Err(Failure::Failed(format!(
            "the program {PROGRAM} is not in {}; build it by `cargo build --release --workspace`",
            folder.display()
        )));
    }
    let mut command = tokio::process::Command::new(&program);
    let status = command.args(&asked.arguments).status().await.map_err(Failure::io("run", &program))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(2) => Err(Failure::WrongInput("the benchmark was not asked rightly".into())),
        _ => Err(Failure::Failed("the benchmark did not end well".into())),
    }
}
