//! What tasks do, by kind.

use super::{Checked, Waited};
use crate::duration;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

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
    Check(Checked),
    /// Waits until something is so; holds no worker meanwhile.
    Wait(Waited),
    /// Waits until a person says yes or no; no is a failure.
    Approve {
        /// What the person is to decide; a template.
        question: String,
    },
    /// Starts another DAG, and waits until that run has succeeded.
    Run {
        dag: String,
        /// Of the other run. Texts are templates.
        #[serde(default)]
        params: BTreeMap<String, toml::Value>,
    },
    /// Says which of the tasks that wait for it go on; the others are skipped.
    Branch {
        /// A template that gives the name of a task, or a list of names.
        choose: Choice,
    },
    /// Gathers what the run did, as its result.
    Report,
    Noop,
}

/// What a branch chooses: a template, or names as they are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a template that gives names of tasks, or a list of names")]
pub enum Choice {
    Template(String),
    Names(Vec<String>),
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

impl Kind {
    /// Whether it only looks whether something is so: it takes no slot of a pool.
    pub fn only_looks(&self) -> bool {
        matches!(
            self,
            Kind::Wait(_)
                | Kind::Approve { .. }
                | Kind::Run { .. }
                | Kind::Job { action: JobAction::Wait, .. }
        )
    }

    /// How long an attempt may take where the file does not say. People and other DAGs take their time.
    pub(super) fn timeout(&self) -> Duration {
        match self {
            Kind::Approve { .. } => Duration::from_secs(7 * 86_400),
            Kind::Run { .. } => Duration::from_secs(86_400),
            _ => duration::minutes_10(),
        }
    }

    /// The word for it in files and on pages.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::Fetch { .. } => "fetch",
            Kind::Job { .. } => "job",
            Kind::Sql { .. } => "sql",
            Kind::Cql { .. } => "cql",
            Kind::Http(_) => "http",
            Kind::Command { .. } => "command",
            Kind::Check(_) => "check",
            Kind::Wait(_) => "wait",
            Kind::Approve { .. } => "approve",
            Kind::Run { .. } => "run",
            Kind::Branch { .. } => "branch",
            Kind::Report => "report",
            Kind::Noop => "noop",
        }
    }
}

fn get() -> String {
    "GET".into()
}

fn ok() -> u16 {
    200
}
