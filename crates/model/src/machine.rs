//! What the crate `queue` does to runs and tasks, as a pure machine: keys, claims under leases, endings by attempt, rules, retries,
//! rescues, pools.
//!
//! It is the protocol without the database: `queue` is held against it step by step on the real PostgreSQL, and [`history`]
//! plays it through crashes by the thousand. A step of it is a transaction there: done as a whole, or not at all.

mod check;
mod claim;
pub mod history;

use crate::{Break, Guards, ParentCounts, RunState, TaskState, TriggerRule, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// All that is known, and a clock that only [`Machine::pass`] and steps move. Times have no unit.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub now: u64,
    pub pools: BTreeMap<&'static str, u32>,
    pub runs: Vec<Run>,
    attempts: u64,
    guards: Guards,
}

/// A run and its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub key: String,
    pub dag: &'static str,
    /// Of the DAG's tasks, so many run at once.
    pub tasks_max: Option<u32>,
    pub state: RunState,
    pub tasks_left: usize,
    pub tasks: Vec<Task>,
}

/// What a task is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub rule: TriggerRule,
    /// Tasks before it, by their places in the run.
    pub parents: Vec<usize>,
    pub pool: &'static str,
    pub slots: u32,
    pub priority: i32,
}

/// A task as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub shape: Shape,
    pub state: TaskState,
    pub counts: ParentCounts,
    /// Tries that were begun.
    pub attempt: u32,
    /// Those of them that were begun before it was last cleared.
    pub tries_before: u32,
    pub deferred: bool,
    pub rescues: u32,
    pub ready_at: u64,
    /// The attempt that holds it, and until when.
    pub held: Option<(u64, u64)>,
    /// Endings that were taken as its last.
    pub ends: u32,
}

/// A task that somebody may work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claimed {
    pub run: usize,
    pub task: usize,
    pub id: u64,
    /// Tries that were begun since it was cleared, without those whose holders fell silent.
    pub tries: u32,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Success,
    Skipped,
    Failed,
    /// Failed, and tried again after so long.
    Retry(u64),
    /// Looks again after so long.
    Deferred(u64),
}

/// A task that loses its holder more often fails.
pub const RESCUES_MAX: u32 = 5;

impl Machine {
    pub fn new(pools: BTreeMap<&'static str, u32>, guards: Guards) -> Self {
        Self { pools, guards, ..Self::default() }
    }

    /// Makes the run of a key, once. Answers whether it is new.
    pub fn make(&mut self, key: &str, dag: &'static str, tasks_max: Option<u32>, shapes: Vec<Shape>) -> bool {
        self.now += 1;
        if !self.guards.lack(Break::NoRunKey) && self.runs.iter().any(|run| run.key == key) {
            return false;
        }
        let now = self.now;
        let task = |shape: Shape| {
            let ready = shape.parents.is_empty() || shape.rule == TriggerRule::Always;
            let counts = ParentCounts { upstream: shape.parents.len() as i32, ..ParentCounts::default() };
            let state = if ready { TaskState::Ready } else { TaskState::Waiting };
            Task {
                shape,
                state,
                counts,
                attempt: 0,
                tries_before: 0,
                deferred: false,
                rescues: 0,
                ready_at: now,
                held: None,
                ends: 0,
            }
        };
        let tasks: Vec<Task> = shapes.into_iter().map(task).collect();
        let (key, tasks_left) = (key.to_owned(), tasks.len());
        self.runs.push(Run { key, dag, tasks_max, state: RunState::Running, tasks_left, tasks });
        true
    }

    /// Time passes.
    pub fn pass(&mut self, time: u64) {
        self.now += time;
    }

    /// Lengthens a lease. Answers whether the claim is still the holder's.
    pub fn renew(&mut self, claimed: &Claimed, lease: u64) -> bool {
        self.now += 1;
        let until = self.now + lease;
        match self.task(claimed).held.as_mut().filter(|(id, _)| *id == claimed.id) {
            Some(held) => {
                held.1 = until;
                true
            }
            None => self.guards.lack(Break::AnyAttempt),
        }
    }

    /// Ends claims, all as one. Answers which of them were still their holders'.
    pub fn finish(&mut self, endings: &[(Claimed, End)]) -> Vec<bool> {
        self.now += 1;
        let (mut taken, mut ended) = (vec![], vec![]);
        for (claimed, end) in endings {
            let now = self.now;
            let any = self.guards.lack(Break::AnyAttempt);
            let task = self.task(claimed);
            let ours = task.state == TaskState::Running && task.held.is_some_and(|(id, _)| id == claimed.id);
            taken.push(ours || any);
            if !ours && !any {
                continue;
            }
            task.held = None;
            (task.state, task.ready_at, task.deferred) = match end {
                End::Success => (TaskState::Success, task.ready_at, false),
                End::Skipped => (TaskState::Skipped, task.ready_at, false),
                End::Failed => (TaskState::Failed, task.ready_at, false),
                End::Retry(wait) => (TaskState::Retrying, now + wait, false),
                End::Deferred(wait) => (TaskState::Ready, now + wait, true),
            };
            if task.state.is_final() {
                task.ends += 1;
                ended.push((claimed.run, claimed.task));
            }
        }
        self.propagate(ended);
        taken
    }

    /// Gives tasks whose leases have ended to whoever claims next.
    pub fn rescue(&mut self) {
        self.now += 1;
        let mut lost: Vec<(u64, usize, usize)> = vec![];
        for (run, of) in self.runs.iter().enumerate() {
            let until = |(at, task): (usize, &Task)| Some((task.held?.1, run, at));
            lost.extend(
                of.tasks.iter().enumerate().filter_map(until).filter(|(until, ..)| *until < self.now),
            );
        }
        lost.sort_unstable();
        for (_, run, at) in lost {
            self.now += 1;
            let now = self.now;
            let task = &mut self.runs[run].tasks[at];
            (task.held, task.rescues, task.ready_at) = (None, task.rescues + 1, now);
            task.state = if task.rescues > RESCUES_MAX { TaskState::Failed } else { TaskState::Ready };
            if task.state.is_final() {
                task.ends += 1;
                self.propagate(vec![(run, at)]);
            }
        }
    }

    /// Ends an open run before its time. Answers whether it was open.
    pub fn cancel(&mut self, run: usize) -> bool {
        self.now += 1;
        let run = &mut self.runs[run];
        if run.state.is_final() {
            return false;
        }
        (run.state, run.tasks_left) = (RunState::Cancelled, 0);
        for task in run.tasks.iter_mut().filter(|task| !task.state.is_final()) {
            (task.state, task.held, task.ends) = (TaskState::Removed, None, 1);
        }
        true
    }

    /// Lets those of these tasks run again that are not waiting, and the run with them: its DAG has a place for it. Answers how many.
    pub fn clear(&mut self, run: usize, tasks: &BTreeSet<usize>, only_failed: bool) -> usize {
        self.now += 1;
        let of = &mut self.runs[run];
        let mut cleared = 0;
        for (_, task) in of.tasks.iter_mut().enumerate().filter(|(at, _)| tasks.contains(at)) {
            if task.state == TaskState::Waiting || only_failed && !has_failed(task.state) {
                continue;
            }
            (task.state, task.held, task.deferred, task.ends) = (TaskState::Waiting, None, false, 0);
            (task.rescues, task.tries_before) = (0, task.attempt);
            cleared += 1;
        }
        if cleared > 0 {
            of.state = RunState::Running;
            self.settle(run);
        }
        cleared
    }

    /// Gives a task an end that people decide. A run that had ended ends as its leaves are now; one that was cancelled stays so.
    pub fn mark(&mut self, run: usize, task: usize, state: TaskState) {
        self.now += 1;
        let of = &mut self.runs[run];
        let task = &mut of.tasks[task];
        (task.state, task.held, task.deferred, task.ends) = (state, None, false, 1);
        if of.state != RunState::Cancelled {
            of.state = RunState::Running;
            self.settle(run);
        }
    }

    /// Counts the parents of each waiting task anew, and judges it.
    fn settle(&mut self, run: usize) {
        let of = &mut self.runs[run];
        of.tasks_left = of.tasks.iter().filter(|task| !task.state.is_final()).count();
        let waiting: Vec<usize> =
            (0..of.tasks.len()).filter(|at| of.tasks[*at].state == TaskState::Waiting).collect();
        for at in &waiting {
            of.tasks[*at].counts = of.parents(*at);
        }
        let ended = waiting.into_iter().filter(|at| self.judge(run, *at)).map(|at| (run, at)).collect();
        self.propagate(ended);
        self.end_if_done(run);
    }

    fn task(&mut self, claimed: &Claimed) -> &mut Task {
        &mut self.runs[claimed.run].tasks[claimed.task]
    }

    /// Counts ended tasks on their children, judges those, and goes on with children that ended by it.
    fn propagate(&mut self, mut ended: Vec<(usize, usize)>) {
        let mut runs = BTreeSet::new();
        while !ended.is_empty() {
            let mut touched = vec![];
            for (run, parent) in &ended {
                runs.insert(*run);
                let run_of = &mut self.runs[*run];
                run_of.tasks_left = run_of.tasks_left.saturating_sub(1);
                let state = run_of.tasks[*parent].state;
                let children = run_of.tasks.iter_mut().enumerate();
                for (at, child) in children.filter(|(_, task)| task.shape.parents.contains(parent)) {
                    if child.state == TaskState::Waiting {
                        count(&mut child.counts, state);
                        touched.push((*run, at));
                    }
                }
            }
            touched.sort_unstable();
            touched.dedup();
            ended = touched.into_iter().filter(|(run, at)| self.judge(*run, *at)).collect();
        }
        runs.into_iter().for_each(|run| self.end_if_done(run));
    }

    /// Answers whether the task has ended by its rule.
    fn judge(&mut self, run: usize, at: usize) -> bool {
        let now = self.now;
        let task = &mut self.runs[run].tasks[at];
        task.state = match task.shape.rule.judge(task.counts) {
            Verdict::Wait => return false,
            Verdict::Run => TaskState::Ready,
            Verdict::Skipped => TaskState::Skipped,
            Verdict::UpstreamFailed => TaskState::UpstreamFailed,
        };
        task.ready_at = now;
        task.ends += u32::from(task.state.is_final());
        task.state.is_final()
    }

    /// A run ends as its leaves do.
    fn end_if_done(&mut self, run: usize) {
        let run = &mut self.runs[run];
        if run.tasks_left > 0 || run.state != RunState::Running {
            return;
        }
        let is_leaf = |at: &usize| !run.tasks.iter().any(|task| task.shape.parents.contains(at));
        let bad = |at: usize| matches!(run.tasks[at].state, TaskState::Failed | TaskState::UpstreamFailed);
        let failed = (0..run.tasks.len()).filter(is_leaf).any(bad);
        run.state = if failed { RunState::Failed } else { RunState::Success };
    }
}

fn has_failed(state: TaskState) -> bool {
    matches!(state, TaskState::Failed | TaskState::UpstreamFailed | TaskState::Removed)
}

impl Run {
    /// What the parents of a task are now.
    fn parents(&self, at: usize) -> ParentCounts {
        let parents = &self.tasks[at].shape.parents;
        let mut counts = ParentCounts { upstream: parents.len() as i32, ..ParentCounts::default() };
        parents.iter().for_each(|parent| count(&mut counts, self.tasks[*parent].state));
        counts
    }
}

fn count(counts: &mut ParentCounts, state: TaskState) {
    match state {
        TaskState::Success => counts.success += 1,
        TaskState::Skipped => counts.skipped += 1,
        TaskState::Failed => counts.failed += 1,
        TaskState::UpstreamFailed => counts.upstream_failed += 1,
        TaskState::Removed => counts.removed += 1,
        _ => {}
    }
}

#[cfg(test)]
mod tests;
