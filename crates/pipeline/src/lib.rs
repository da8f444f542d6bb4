//! Pipelines: from the files of a folder to typed definitions that cannot be wrong.
//!
//! A folder is read into a [`Bundle`], a bundle is parsed into a [`Pipeline`]. What is wrong is told with file and line. The
//! scheduler publishes bundles in PostgreSQL by content hash; every other process reads them from there and parses the same
//! text with the same code ([`published`]).

mod bundle;
mod chain;
mod dag;
pub mod diff;
mod duration;
mod event;
mod file;
pub mod graph;
mod group;
mod job;
pub mod json_schema;
pub mod named;
pub mod param;
mod problem;
pub mod published;
mod schema;
mod setups;
mod source;
mod stream;
mod table;
mod task;
mod template;
mod validate;

pub use bundle::{Bundle, CHECK_BUNDLES, read_all};
pub use dag::{Dag, Group, TASKS_MAX};
pub use event::{On, Start};
pub use job::{Emit, Job, Late};
pub use param::{Param, ParamError, Params};
pub use problem::Problem;
pub use published::Published;
pub use schema::{Column, ColumnType, columns};
pub use source::{Field, FieldType, From as FieldFrom, Paging, Source, Stop};
pub use stream::Stream;
pub use table::{Clustering, Direction, Nulls, Store, Table};
pub use task::{
    Backoff, Checked, CheckedFresh, CheckedRows, CheckedUnique, Choice, Expect, Foreach, HttpCall, ITEMS_MAX,
    JobAction, Kind, Passed, RetryPolicy, Task, Waited, WaitedLag, WaitedRows, WaitedRun, item_name, item_of,
};

use model::Guards;
use std::collections::BTreeMap;

/// One pipeline, checked.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub name: String,
    /// The content hash of its files.
    pub version: String,
    pub sources: BTreeMap<String, Source>,
    pub streams: BTreeMap<String, Stream>,
    pub jobs: BTreeMap<String, Job>,
    pub tables: BTreeMap<String, Table>,
    pub dags: BTreeMap<String, Dag>,
}

impl Pipeline {
    /// Reads a bundle's files. All that is wrong is told at once.
    pub fn parse(bundle: &Bundle) -> Result<Self, Vec<Problem>> {
        Self::parse_with(bundle, Guards::default())
    }

    /// The same where a test may have taken guards away.
    pub fn parse_with(bundle: &Bundle, guards: Guards) -> Result<Self, Vec<Problem>> {
        let pipeline = file::parse(bundle, guards)?;
        let problems = validate::problems(&pipeline, bundle);
        if problems.is_empty() { Ok(pipeline) } else { Err(problems) }
    }

    /// The same without its DAGs, for who moves records: all DAGs of a team are megabytes, and code of their own.
    pub fn without_dags(bundle: &Bundle) -> Result<Self, Vec<Problem>> {
        let (pipeline, mut problems) = file::parse_without_dags(bundle)?;
        if problems.is_empty() {
            problems = validate::problems_beside_dags(&pipeline, bundle);
        }
        if problems.is_empty() { Ok(pipeline) } else { Err(problems) }
    }

    /// The version of a job: of all that decides its rows. An edit elsewhere in the pipeline does not restart it.
    pub fn job_version(&self, job: &Job) -> String {
        let named =
            self.streams.values().filter(|stream| stream.name == job.into || job.text.contains(&stream.name));
        let parts = named.map(|stream| format!("{stream:?}")).chain([format!("{job:?}")]);
        bundle::hash(parts)
    }

    /// The jobs that write `stream`.
    pub fn jobs_into<'a>(&'a self, stream: &'a str) -> impl Iterator<Item = &'a Job> {
        self.jobs.values().filter(move |job| job.into == stream)
    }
}

/// Finds what is wrong between pipelines: topics and DAGs are one name space, and DAGs may follow DAGs of other pipelines.
pub fn problems_between(pipelines: &[Pipeline]) -> Vec<Problem> {
    let mut owner: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut problems = vec![];
    for pipeline in pipelines {
        let kinds = [
            ("stream", pipeline.streams.keys().collect::<Vec<_>>()),
            ("DAG", pipeline.dags.keys().collect()),
            ("source", pipeline.sources.keys().collect()),
            ("job", pipeline.jobs.keys().collect()),
            ("table", pipeline.tables.keys().collect()),
        ];
        for (kind, names) in kinds {
            for name in names {
                if let Some(other) = owner.insert((kind, name), &pipeline.name) {
                    let message =
                        format!("{kind} \"{name}\" is also in pipeline \"{other}\": rename one of them");
                    problems.push(Problem::new(format!("{}/pipeline.toml", pipeline.name), 1, message));
                }
            }
        }
    }
    problems.extend(chain::problems(pipelines));
    problems
}

#[cfg(test)]
mod tests;
