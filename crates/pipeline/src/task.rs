//! Tasks of a DAG.

use crate::{Store, duration};
use model::TriggerRule;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// One task: what all kinds share, and what its kind needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub name: String,
    pub after: Vec<String>,
    pub trigger_rule: TriggerRule,
    /// Tries after the first one.
    pub retries: u32,
    /// Before the first retry; doubled for each further one.
    pub retry_delay: Duration,
    pub retry_delay_max: Duration,
    /// An attempt that takes longer fails.
    pub timeout: Duration,
    /// What its templates look up, with dots: `tasks.fetch.result.rows`.
    pub names: BTreeSet<String>,
    pub kind: Kind,
}

impl Task {
    /// The tasks whose results it needs; all of the run's where absent.
    pub fn results_named(&self) -> Option<Vec<String>> {
        if matches!(self.kind, Kind::Report) || self.names.contains("tasks") {
            return None;
        }
        let other = |name: &String| Some(name.strip_prefix("tasks.")?.split('.').next()?.to_owned());
        Some(self.names.iter().filter_map(other).collect())
    }
}

/// The keys that every kind of task has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shared {
    #[serde(default)]
    pub after: Vec<String>,
    #[serde(default)]
    pub trigger_rule: TriggerRule,
    #[serde(default)]
    pub retries: u32,
    #[serde(default = "duration::seconds_5", deserialize_with = "model::span::parse")]
    pub retry_delay: Duration,
    #[serde(default = "duration::minutes_10", deserialize_with = "model::span::parse")]
    pub retry_delay_max: Duration,
    #[serde(default = "duration::minutes_10", deserialize_with = "model::span::parse")]
    pub timeout: Duration,
}

pub(crate) const SHARED: [&str; 6] =
    ["after", "trigger_rule", "retries", "retry_delay", "retry_delay_max", "timeout"];

/// What a task does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// Fetches a source once.
    Fetch {
        source: String,
    },
    /// Starts, stops or waits for a streaming job.
    Job {
        job: String,
        action: JobAction,
    },
    /// Runs statements in PostgreSQL, in one transaction.
    Sql {
        statement: Option<String>,
        file: Option<String>,
        #[serde(skip)]
        text: String,
    },
    /// Runs a statement in Cassandra.
    Cql {
        statement: String,
    },
    /// Calls a URL.
    Http(HttpCall),
    /// Runs a program as a child process.
    Command {
        run: Vec<String>,
        #[serde(default)]
        env: BTreeMap<String, String>,
    },
    /// Asks a question whose answer must be as expected.
    Check {
        /// The fetch task of the same run whose ids must all be there.
        ids_of: Option<String>,
        #[serde(default)]
        tables: Vec<String>,
        /// A query whose first value must be as `expect` says.
        sql: Option<String>,
        cql: Option<String>,
        expect: Option<Expect>,
    },
    /// Waits until something is so; holds no worker meanwhile.
    Wait(Waited),
    /// Gathers what the run did, as its result.
    Report,
    Noop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobAction {
    Start,
    Stop,
    /// Until all its slots run.
    Wait,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCall {
    pub url: String,
    #[serde(default = "get")]
    pub method: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: Option<String>,
    #[serde(default = "ok")]
    pub expect_status: u16,
}

/// What the first value of a check's query must be.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub equals: Option<toml::Value>,
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
}

/// What a wait waits for; exactly one of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waited {
    pub passed: Option<Passed>,
    /// A query in PostgreSQL whose first value is true or above zero.
    pub sql: Option<String>,
    /// A file that exists.
    pub file: Option<String>,
    /// A URL that answers with a 2xx status.
    pub http: Option<String>,
    /// An instant, RFC 3339; may be a template.
    pub until: Option<String>,
    /// Between two looks.
    #[serde(default = "look_again", deserialize_with = "model::span::parse")]
    pub poll: Duration,
}

/// "Everything up to these offsets of the stream is in these tables."
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passed {
    pub stream: String,
    /// A template that gives offsets by partition, as a fetch's result has them.
    pub offsets: String,
    pub tables: Vec<String>,
}

impl Kind {
    /// The word for it in files and on pages.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::Fetch { .. } => "fetch",
            Kind::Job { .. } => "job",
            Kind::Sql { .. } => "sql",
            Kind::Cql { .. } => "cql",
            Kind::Http(_) => "http",
            Kind::Command { .. } => "command",
            Kind::Check { .. } => "check",
            Kind::Wait(_) => "wait",
            Kind::Report => "report",
            Kind::Noop => "noop",
        }
    }
}

impl Store {
    /// The store's name as people write it.
    pub fn title(self) -> &'static str {
        match self {
            Store::Cassandra => "Cassandra",
            Store::Postgres => "PostgreSQL",
        }
    }
}

fn get() -> String {
    "GET".into()
}

fn ok() -> u16 {
    200
}

fn look_again() -> Duration {
    Duration::from_millis(250)
}
