//! Tasks of a DAG.

mod check;
mod foreach;
mod kind;
mod retry;
mod wait;

pub use check::{Checked, CheckedFresh, CheckedRows, CheckedUnique};
pub use foreach::{Foreach, ITEMS_MAX, item_name, item_of};
pub use kind::{Choice, Expect, HttpCall, JobAction, Kind};
pub use retry::{Backoff, RetryPolicy};
pub use wait::{Passed, Waited, WaitedLag, WaitedRows, WaitedRun};

use crate::duration;
use model::TriggerRule;
use serde::Deserialize;
use std::{collections::BTreeSet, time::Duration};

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
    /// Where it is there, the task is done once for each item, and ends when all of them have ended.
    pub foreach: Option<Foreach>,
    /// Of its items, so many are open at once.
    pub max_active_items: Option<u32>,
    /// The group that it is shown in.
    pub group: Option<String>,
    /// Makes what a teardown takes away again.
    pub setup: bool,
    /// The setups that this task takes down. Where there is one, the task does not decide how its run ends.
    pub teardown: Vec<String>,
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

impl Task {
    /// Whether it needs to know which records its run is for.
    pub fn names_event(&self) -> bool {
        self.names.iter().any(|name| name == "event" || name.starts_with("event."))
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
    foreach: Option<Foreach>,
    max_active_items: Option<u32>,
    group: Option<String>,
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

pub(crate) const SHARED: [&str; 19] = [
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
    "foreach",
    "max_active_items",
    "group",
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
            foreach: self.foreach,
            max_active_items: self.max_active_items,
            group: self.group,
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

fn half() -> f64 {
    0.5
}

fn one() -> u32 {
    1
}

fn default_pool() -> String {
    "default".into()
}

#[cfg(test)]
mod tests;
