//! Tries a job without servers: scripted input, in memory, through the same decoder and slots as in a worker.
//!
//! A step is one JSON object in a line: `{"in": stream, "row": {…}, "partition": 0}`, `{"flush": true}`,
//! `{"idle": stream, "partition": 0}`, `{"restart": true}`, `{"end": true}`. What comes out is JSON lines too.

mod step;
mod world;

use std::io::{self, BufRead, Write};

use serde_json::{Value, json};

use crate::{
    compile,
    decode::DecoderError,
    job::Job,
    slot::SlotError,
    spec::{CompileError, JobSpec},
};
use step::Step;
use world::World;

/// How a trial runs.
#[derive(Debug, Clone)]
pub struct StepOptions {
    /// Rows that are given to a slot at once. The rows that come out do not depend on it.
    pub batch_rows: usize,
    /// Slots of the keyed stage; a job that needs one slot gets one.
    pub slots: u32,
    /// Whether late, dead and state rows are counted after each flush.
    pub counters: bool,
    /// Drops all memory after every flush, as if each were followed by `{"restart": true}`.
    pub restart_after_flush: bool,
}

impl Default for StepOptions {
    fn default() -> Self {
        Self { batch_rows: 1024, slots: 1, counters: false, restart_after_flush: false }
    }
}

/// Why a trial ended early.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The steps are wrong, at this line, counted from 1.
    #[error("line {line}: {message}")]
    Input { line: usize, message: String },
    #[error("{0}")]
    Compile(#[from] CompileError),
    #[error("the job failed: {0}")]
    Slot(#[from] SlotError),
    #[error("the job failed: {0}")]
    Decoder(#[from] DecoderError),
    #[error(
        "the job wrote a record that cannot be read: {0}; this is a defect, please report it with the job's SQL"
    )]
    Output(String),
    #[error("read the steps or write the rows: {0}")]
    Io(#[from] io::Error),
}

/// Compiles the job and runs the steps. Rows that come out at a flush are sorted, so that the answer is always the same text.
pub fn run(
    spec: &JobSpec,
    steps: impl BufRead,
    options: &StepOptions,
    out: &mut impl Write,
) -> Result<(), StepError> {
    let job = compile(spec)?;
    let steps = step::read(steps, spec)?;
    let mut world = World::new(&job, spec, &steps, options)?;
    let mut unflushed = false;
    for (line, step) in &steps {
        match step {
            Step::Flush => flush(&mut world, spec, &job, options, out)?,
            other => world.take(*line, other)?,
        }
        unflushed = !matches!(step, Step::Flush | Step::Restart);
    }
    // Whoever forgets the last flush wants to see the rows all the same.
    if unflushed {
        flush(&mut world, spec, &job, options, out)?;
    }
    Ok(())
}

fn flush(
    world: &mut World,
    spec: &JobSpec,
    job: &Job,
    options: &StepOptions,
    out: &mut impl Write,
) -> Result<(), StepError> {
    let rows = world.flush()?;
    let mut lines = Vec::new();
    for row in &rows {
        let row = crate::json::from_avro(&job.plan.output_shape, row).map_err(StepError::Output)?;
        lines.push(json!({"out": spec.into, "row": row}).to_string());
    }
    lines.sort_unstable();
    lines.push(json!({"flushed": rows.len()}).to_string());
    if options.counters {
        lines.push(counters(world).to_string());
    }
    for line in lines {
        writeln!(out, "{line}")?;
    }
    if options.restart_after_flush {
        world.restart()?;
    }
    Ok(())
}

fn counters(world: &World) -> Value {
    json!({"late": world.late, "dead": world.dead, "state_rows": world.state_rows()})
}
