//! A job as its folder declares it. Of `pipeline.toml` only `[streams]` and `[jobs]` are needed, and only they are judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipeline::{Job, Pipeline, Stream};
use query::{CompileError, JobSpec};
use serde::Deserialize;

use crate::failure::Failure;

/// What the query engine is told, and the file of the SQL for its errors.
#[derive(Debug)]
pub struct Declared {
    pub spec: JobSpec,
    sql: PathBuf,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    streams: BTreeMap<String, Stream>,
    #[serde(default)]
    jobs: BTreeMap<String, Job>,
}

impl Declared {
    pub fn read(dir: &Path, name: &str) -> Result<Declared, Failure> {
        let path = dir.join("pipeline.toml");
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            Failure::WrongInput(format!("{}:1: {cause}; name the folder of a pipeline", path.display()))
        })?;
        let file = parse(&text).map_err(|(line, message)| {
            Failure::WrongInput(format!("{}:{line}: {message}", path.display()))
        })?;
        let known = file.jobs.keys().cloned().collect::<Vec<_>>().join(", ");
        let missing = || {
            Failure::WrongInput(format!(
                "{}:1: there is no job \"{name}\"; there are: {known}",
                path.display()
            ))
        };
        let mut job = file.jobs.get(name).cloned().ok_or_else(missing)?;
        job.name = name.into();
        job.text = named_file(dir, &path, &text, &format!("jobs.{name}"), &job.sql)?;
        let sql = dir.join(&job.sql);
        let mut streams = file.streams;
        for (name, stream) in &mut streams {
            stream.name.clone_from(name);
            stream.avsc = named_file(dir, &path, &text, &format!("streams.{name}"), &stream.schema)?;
        }
        Ok(Declared { spec: JobSpec::of(&alone(streams), &job), sql })
    }

    /// Points at the SQL where the engine knows the place.
    pub fn wrong(&self, error: &CompileError) -> Failure {
        let (line, column) = (error.line.unwrap_or(1), error.column.unwrap_or(1));
        Failure::WrongInput(format!("{}:{line}:{column}: {}", self.sql.display(), error.message))
    }
}

fn parse(text: &str) -> Result<File, (usize, String)> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        (before.matches('\n').count() + 1, error.message().replace('\n', " "))
    })
}

fn named_file(
    dir: &Path,
    pipeline: &Path,
    text: &str,
    section: &str,
    named: &str,
) -> Result<String, Failure> {
    std::fs::read_to_string(dir.join(named)).map_err(|cause| {
        let line = text
            .lines()
            .position(|line| line.trim_start().starts_with(&format!("[{section}]")))
            .map_or(1, |at| at + 1);
        Failure::WrongInput(format!(
            "{}:{line}: [{section}] names the file \"{named}\": {cause}",
            pipeline.display()
        ))
    })
}

fn alone(streams: BTreeMap<String, Stream>) -> Pipeline {
    Pipeline {
        name: String::new(),
        version: String::new(),
        sources: BTreeMap::new(),
        streams,
        jobs: BTreeMap::new(),
        tables: BTreeMap::new(),
        dags: BTreeMap::new(),
    }
}
