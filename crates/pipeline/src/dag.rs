//! DAGs: what runs when, and in which order.

use crate::{Params, Task};
use chrono::{DateTime, Utc};
use schedule::{Catchup, Overlap};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A DAG as its file declares it. Its name is the file's.
#[derive(Clone, Debug, PartialEq)]
pub struct Dag {
    pub name: String,
    pub settings: Settings,
    pub tasks: BTreeMap<String, Task>,
}

/// What stands above the tasks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Cron expressions. Without one the DAG runs only when it is triggered.
    #[serde(default, deserialize_with = "one_or_many")]
    pub schedule: Vec<String>,
    #[serde(default = "utc")]
    pub timezone: String,
    #[serde(default)]
    pub dst_overlap: Overlap,
    #[serde(default)]
    pub catchup: Catchup,
    /// Nothing runs before. Where absent: the moment the DAG was first published.
    pub start: Option<DateTime<Utc>>,
    /// Run once when the DAG is first published, whatever the schedule says.
    #[serde(default)]
    pub run_immediately: bool,
    #[serde(default = "one")]
    pub max_active_runs: u32,
    /// A run that takes longer fails.
    #[serde(default, deserialize_with = "model::span::parse_optional")]
    pub timeout: Option<Duration>,
    /// Counted from the run's start. Told once when the run has not ended by then; the run goes on.
    #[serde(default, deserialize_with = "model::span::parse_optional")]
    pub deadline: Option<Duration>,
    /// Of the DAG's tasks, over all its runs, so many run at once. Where absent, only pools are a bound.
    pub max_active_tasks: Option<u32>,
    /// What a trigger may say, by name.
    #[serde(default)]
    pub params: Params,
    #[serde(default)]
    pub paused: bool,
    #[serde(default)]
    pub tags: Vec<String>,
    pub owner: Option<String>,
    pub doc: Option<String>,
}

impl Dag {
    /// The tasks that wait for `task`.
    pub fn children<'a>(&'a self, task: &'a str) -> impl Iterator<Item = &'a Task> {
        self.tasks.values().filter(move |child| child.after.iter().any(|parent| parent == task))
    }

    /// The tasks that have ended when `task` runs.
    pub fn ancestors<'a>(&'a self, task: &'a str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut open = vec![task];
        while let Some(parents) = open.pop().and_then(|name| self.tasks.get(name)).map(|task| &task.after) {
            open.extend(parents.iter().map(String::as_str).filter(|parent| found.insert(*parent)));
        }
        found
    }

    /// The tasks in an order in which every parent stands before its children; a task of a cycle where there is one.
    pub fn order(&self) -> Result<Vec<&str>, &str> {
        let mut left: BTreeMap<&str, usize> =
            self.tasks.values().map(|task| (task.name.as_str(), task.after.len())).collect();
        let mut order: Vec<&str> =
            left.iter().filter(|(_, parents)| **parents == 0).map(|(name, _)| *name).collect();
        let mut done = 0;
        while done < order.len() {
            for child in self.children(order[done]) {
                if let Some(parents) = left.get_mut(child.name.as_str()) {
                    *parents -= 1;
                    if *parents == 0 {
                        order.push(&child.name);
                    }
                }
            }
            done += 1;
        }
        match left.iter().find(|(_, parents)| **parents > 0) {
            Some((name, _)) => Err(name),
            None => Ok(order),
        }
    }
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a cron expression, or a list of them")]
    enum Spelled {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Spelled::deserialize(from)? {
        Spelled::One(cron) => vec![cron],
        Spelled::Many(crons) => crons,
    })
}

fn utc() -> String {
    "UTC".into()
}

fn one() -> u32 {
    1
}
