//! DAGs: what runs when, and in which order.

use crate::{On, Params, Task, graph};
use chrono::{DateTime, Utc};
use schedule::{Calendar, Catchup, OnUnpause, Overlap, RunImmediately, Schedule, ScheduleError, Timetable};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Each task is a row of every run, and all of them are shown: more are several DAGs, or a `foreach`.
pub const TASKS_MAX: usize = 10_000;

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
    /// When it is due. Without it the DAG runs only when it is triggered.
    #[serde(default)]
    pub schedule: Schedule,
    #[serde(default = "utc")]
    pub timezone: String,
    #[serde(default)]
    pub dst_overlap: Overlap,
    /// Which of the times that passed unseen are run.
    #[serde(default)]
    pub catchup: Catchup,
    /// Which of the times that passed during a pause are run. Where absent: as `catchup` says.
    pub on_unpause: Option<OnUnpause>,
    /// A run that is looked at so long after it was due is told and not started.
    #[serde(default, deserialize_with = "model::span::parse_optional")]
    pub stale_after: Option<Duration>,
    /// Whether a run is for the time from one due time to the next, and fires at its end.
    #[serde(default)]
    pub interval: bool,
    /// Nothing runs before, and intervals are counted from it. Where absent, nothing runs before the DAG was first published.
    pub start: Option<DateTime<Utc>>,
    /// Whether a run is made when the DAG is first published: `true`, or `"10m"` where a due time passed no longer ago.
    #[serde(default)]
    pub run_immediately: RunImmediately,
    /// DAGs whose successes it follows: each successful run of one of them starts one run, for the same time.
    #[serde(default)]
    pub after_dag: Vec<String>,
    /// Records that start runs.
    pub on: Option<On>,
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
    /// Tasks that are waited for, and wait, as one.
    #[serde(default)]
    pub groups: BTreeMap<String, Group>,
    #[serde(default)]
    pub paused: bool,
    /// Who is told of failures, deadlines and recoveries: names of `[notifications]` in the scheduler's configuration.
    #[serde(default)]
    pub notify: Vec<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub owner: Option<String>,
    pub doc: Option<String>,
}

/// What a group of tasks waits for. Its tasks name it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What each task waits for that waits for no other task of the group.
    #[serde(default)]
    pub after: Vec<String>,
}

impl Settings {
    /// The runs that follow from the schedule. `start` stands in for the one of the file.
    pub fn timetable(&self, start: Option<DateTime<Utc>>) -> Result<Timetable, ScheduleError> {
        let start = start.or(self.start);
        // Without a start, `@once` is the moment of the first publication.
        let once = self.schedule.is_once() && start.is_none();
        Ok(Timetable {
            calendar: Calendar::new(&self.schedule, &self.timezone, self.dst_overlap, start)?,
            start,
            interval: self.interval,
            catchup: self.catchup,
            on_unpause: self.on_unpause,
            stale_after: self.stale_after,
            run_immediately: if once { RunImmediately::Now } else { self.run_immediately },
        })
    }
}

impl Dag {
    /// The tasks that wait for `task`.
    pub fn children<'a>(&'a self, task: &'a str) -> impl Iterator<Item = &'a Task> {
        self.tasks.values().filter(move |child| child.after.iter().any(|parent| parent == task))
    }

    /// The tasks that have ended when `task` runs.
    pub fn ancestors<'a>(&'a self, task: &'a str) -> BTreeSet<&'a str> {
        let parents = |name: &str| self.tasks.get(name).into_iter().flat_map(|task| &task.after);
        graph::reach([task], |name| parents(name).map(String::as_str))
    }

    /// The tasks that wait for one of `tasks`, at any distance.
    pub fn descendants<'a>(&'a self, tasks: &'a [String]) -> BTreeSet<&'a str> {
        below(&self.children_by_parent(), tasks.iter().map(String::as_str))
    }

    /// The children of each task that has some. Looked up, not searched for: a DAG may have ten thousand tasks.
    pub(crate) fn children_by_parent(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for task in self.tasks.values() {
            for parent in &task.after {
                children.entry(parent).or_default().push(&task.name);
            }
        }
        children
    }

    /// The tasks in an order in which every parent stands before its children; a task of a cycle where there is one.
    pub fn order(&self) -> Result<Vec<&str>, &str> {
        let mut left: BTreeMap<&str, usize> =
            self.tasks.values().map(|task| (task.name.as_str(), task.after.len())).collect();
        let mut children = self.children_by_parent();
        let mut order: Vec<&str> =
            left.iter().filter(|(_, parents)| **parents == 0).map(|(name, _)| *name).collect();
        let mut done = 0;
        while done < order.len() {
            for child in children.remove(order[done]).into_iter().flatten() {
                if let Some(parents) = left.get_mut(child) {
                    *parents -= 1;
                    if *parents == 0 {
                        order.push(child);
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

/// What follows from tasks at any distance.
pub(crate) fn below<'a>(
    children: &BTreeMap<&'a str, Vec<&'a str>>,
    from: impl IntoIterator<Item = &'a str>,
) -> BTreeSet<&'a str> {
    graph::reach(from, |at| children.get(at).into_iter().flatten().copied())
}

fn utc() -> String {
    "UTC".into()
}

fn one() -> u32 {
    1
}
