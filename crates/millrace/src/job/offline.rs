//! Jobs without any server: in words, and on scripted input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;

use query::steps::{self, StepError, StepOptions};

use super::declared::Declared;
use crate::address::Addresses;
use crate::cli::{JobExplainArgs, JobRunArgs};
use crate::failure::Failure;
use crate::{files, output};

pub fn explain(addresses: &Addresses, args: &JobExplainArgs) -> Result<(), Failure> {
    let declared = match &args.pipeline {
        Some(dir) => Declared::read(dir, &args.name)?,
        None => look_for(addresses.config_dir(), &args.name)?,
    };
    let job = query::compile(&declared.spec).map_err(|error| declared.wrong(&error))?;
    output::line(job.explain().trim_end());
    Ok(())
}

/// In the pipelines of the configuration; a pipeline that is wrong elsewhere does not matter.
fn look_for(config: &Path, name: &str) -> Result<Declared, Failure> {
    let mut last = Failure::WrongInput(format!("{}: there is no pipeline", config.display()));
    for folder in files::folders(config)? {
        match Declared::read(&folder.path, name) {
            Ok(declared) => return Ok(declared),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

/// Blocking, from here to the end: there is nothing else to do meanwhile.
pub async fn run(args: &JobRunArgs) -> Result<(), Failure> {
    let declared = Declared::read(&args.dir, &args.job)?;
    let options = StepOptions {
        batch_rows: args.batch_rows as usize,
        slots: args.slots,
        counters: args.counters,
        restart_after_flush: false,
    };
    let (file, steps) = (args.steps.clone(), open(&args.steps)?);
    let tried = tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::new(io::stdout().lock());
        let done = steps::run(&declared.spec, steps, &options, &mut out);
        let flushed = out.flush();
        done.and_then(|()| flushed.map_err(StepError::Io)).or_else(|error| failure(&declared, &file, error))
    });
    tried.await.map_err(|cause| Failure::Failed(format!("the job failed: {cause}")))?
}

fn open(file: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let opened =
        File::open(file).map_err(|cause| Failure::WrongInput(format!("{}:1: {cause}", file.display())))?;
    Ok(Box::new(BufReader::new(opened)))
}

fn failure(declared: &Declared, file: &Path, error: StepError) -> Result<(), Failure> {
    Err(match error {
        StepError::Input { line, message } => {
            Failure::WrongInput(format!("{}:{line}: {message}", file.display()))
        }
        StepError::Compile(error) => declared.wrong(&error),
        // A reader that has left early wants no more.
        StepError::Io(cause) if cause.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        StepError::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            Failure::WrongInput(format!("{}:1: {cause}", file.display()))
        }
        other => Failure::Failed(other.to_string()),
    })
}

#[cfg(test)]
mod tests;
