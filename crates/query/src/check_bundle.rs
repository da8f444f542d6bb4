//! A whole pipeline, checked: its files, and the SQL of its jobs.

use crate::{JobSpec, compile};
use pipeline::{Bundle, Pipeline, Problem};

/// A pipeline's own checks, and its jobs' SQL. All that is wrong is told at once.
///
/// The scheduler publishes only what passes, so that workers never see a job that does not compile; `millrace check` asks the
/// same before.
pub fn check_bundle(bundle: &Bundle) -> Result<Pipeline, Vec<Problem>> {
    let pipeline = Pipeline::parse(bundle)?;
    let problems: Vec<Problem> =
        pipeline.jobs.values().filter_map(|job| job_problem(&pipeline, job)).collect();
    if problems.is_empty() { Ok(pipeline) } else { Err(problems) }
}

fn job_problem(pipeline: &Pipeline, job: &pipeline::Job) -> Option<Problem> {
    let file = format!("{}/{}", pipeline.name, job.sql);
    match compile(&JobSpec::of(pipeline, job)) {
        Err(cause) => Some(Problem::new(file, cause.line.unwrap_or(1) as usize, cause.message)),
        Ok(compiled) if compiled.needs_one_slot() && job.slots > 1 => {
            let name = &job.name;
            let message =
                format!("the grouping key does not contain the stream's key: job \"{name}\" needs slots = 1");
            Some(Problem::new(file, 1, message))
        }
        Ok(_) => None,
    }
}
