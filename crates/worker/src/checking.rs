//! Says what is wrong with pipelines: the scheduler asks before it publishes.

use pipeline::{Bundle, Problem};
use std::{
    io::{Read, Write},
    process::ExitCode,
};

/// Bundles in, as JSON; out, for each of them, its problems. Nothing else is written to standard output.
pub fn answer() -> ExitCode {
    match answer_or_fail() {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}

fn answer_or_fail() -> std::io::Result<()> {
    let mut question = vec![];
    std::io::stdin().lock().read_to_end(&mut question)?;
    let bundles: Vec<Bundle> = serde_json::from_slice(&question)?;
    let problems = |bundle| query::check_bundle(bundle).err().unwrap_or_default();
    let answer: Vec<Vec<Problem>> = bundles.iter().map(problems).collect();
    std::io::stdout().lock().write_all(&serde_json::to_vec(&answer)?)
}
