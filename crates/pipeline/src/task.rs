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
    /// The setups of a teardown are among them.
    pub after: Vec<String>,
    pub trigger_rule: TriggerRule,
    pub retry: RetryPolicy,
    /// An attempt that takes longer fails.
    pub timeout: Duration,
    /// Counted from the run's start. Told once when the task has not ended by then; the task goes on.
    pub deadline: Option<Duration>,
    /// A template that gives true or false; where false, the task is skipped.
    pub when: Option<String>,
    /// Begins only when the same task of the DAG's run before has succeeded or was skipped.
    pub depends_on_past: bool,
    /// Higher goes first.
    pub priority: i32,
    /// Where its slots are counted, and how many it takes.
    pub pool: String,
    pub slots: u32,
    /// Makes what a teardown takes away again.
    pub setup: bool,
    /// The setups that this task takes down. Where there is one, the task does not decide how its run ends.
    pub teardown: Vec<String>,
    /// What its templates look up, with dots: `tasks.fetch.result.rows`.
    pub names: BTreeSet<String>,
    pub kind: Kind,
}

/// How a failed task is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Tries after the first one.
    pub retries: u32,
    pub delay: Duration,
    /// The cap of a delay that doubles.
    pub delay_max: Duration,
    pub backoff: Backoff,
    /// The part of a delay, from 0 to 1, that is left to chance, so that what failed together does not come back together.
    pub jitter: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Doubled for each further retry.
    #[default]
    Exponential,
    Constant,
}

impl RetryPolicy {
    /// The wait after `tries` failed ones, or nothing when that was the last one. `random` is in `[0, 1)`.
    pub fn wait(&self, tries: u32, random: f64) -> Option<Duration> {
        if tries > self.retries {
            return None;
        }
        let full = match self.backoff {
            Backoff::Constant => self.delay,
            // Beyond 2^20 any cap is reached.
            Backoff::Exponential => {
                self.delay.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(self.delay_max)
            }
        };
        let sure = 1.0 - self.jitter.clamp(0.0, 1.0) * random.clamp(0.0, 1.0);
        Some(full.mul_f64(sure).max(model::retry::FLOOR))
    }
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
    after: Vec<String>,
    trigger_rule: Option<TriggerRule>,
    #[serde(default)]
    retries: u32,
    #[serde(default = "duration::seconds_5", deserialize_with = "model::span::parse")]
    retry_delay: Duration,
    #[serde(default = "duration::minutes_10", deserialize_with = "model::span::parse")]
    retry_delay_max: Duration,
    #[serde(default)]
    retry_backoff: Backoff,
    #[serde(default = "half")]
    retry_jitter: f64,
    #[serde(default, deserialize_with = "model::span::parse_optional")]
    timeout: Option<Duration>,
    #[serde(default, deserialize_with = "model::span::parse_optional")]
    deadline: Option<Duration>,
    when: Option<String>,
    #[serde(default)]
    depends_on_past: bool,
    #[serde(default)]
    priority: i32,
    #[serde(default = "default_pool")]
    pool: String,
    #[serde(default = "one")]
    slots: u32,
    #[serde(default)]
    setup: bool,
    #[serde(default)]
    teardown: Vec<String>,
}

pub(crate) const SHARED: [&str; 16] = [
    "after",
    "trigger_rule",
    "retries",
    "retry_delay",
    "retry_delay_max",
    "retry_backoff",
    "retry_jitter",
    "timeout",
    "deadline",
    "when",
    "depends_on_past",
    "priority",
    "pool",
    "slots",
    "setup",
    "teardown",
];

impl Shared {
    pub(crate) fn task(self, name: &str, names: BTreeSet<String>, kind: Kind) -> Task {
        let mut after = self.after;
        after
            .extend(self.teardown.iter().filter(|setup| !after.contains(setup)).cloned().collect::<Vec<_>>());
        let usual =
            if self.teardown.is_empty() { TriggerRule::AllSuccess } else { TriggerRule::AllDoneSetupSuccess };
        Task {
            name: name.to_owned(),
            after,
            trigger_rule: self.trigger_rule.unwrap_or(usual),
            retry: RetryPolicy {
                retries: self.retries,
                delay: self.retry_delay,
                delay_max: self.retry_delay_max,
                backoff: self.retry_backoff,
                jitter: self.retry_jitter,
            },
            timeout: self.timeout.unwrap_or_else(|| kind.timeout()),
            deadline: self.deadline,
            when: self.when,
            depends_on_past: self.depends_on_past,
            priority: self.priority,
            pool: self.pool,
            slots: self.slots,
            setup: self.setup,
            teardown: self.teardown,
            names,
            kind,
        }
    }
}

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
    /// The run of another DAG for the same logical time has succeeded.
    pub run: Option<WaitedRun>,
    /// A table has so many rows.
    pub rows: Option<WaitedRows>,
    /// A table's sink is at most so many records behind its stream.
    pub lag: Option<WaitedLag>,
    /// Between two looks.
    #[serde(default = "look_again", deserialize_with = "model::span::parse")]
    pub poll: Duration,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitedRun {
    pub dag: String,
    /// Its logical time, RFC 3339; a template.
    #[serde(default = "same_time")]
    pub at: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitedRows {
    pub table: String,
    pub at_least: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitedLag {
    pub table: String,
    pub at_most: u64,
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
    fn timeout(&self) -> Duration {
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
            Kind::Check { .. } => "check",
            Kind::Wait(_) => "wait",
            Kind::Approve { .. } => "approve",
            Kind::Run { .. } => "run",
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

fn same_time() -> String {
    "{{ logical_time }}".into()
}

fn half() -> f64 {
    0.5
}

fn one() -> u32 {
    1
}

fn default_pool() -> String {
    "default".into()
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

#[cfg(test)]
mod tests;
