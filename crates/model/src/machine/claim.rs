//! Claiming: of each pool as much as it has free slots, of each DAG as much as it may run at once; higher priority first, and
//! among equals the DAGs take turns.

use super::{Claimed, Machine, Task};
use crate::{Break, TaskState};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// A task that is ready, with what decides its place.
#[derive(Clone, Debug)]
struct Candidate {
    run: usize,
    task: usize,
    dag: &'static str,
    pool: &'static str,
    need: u32,
    priority: i32,
    ready_at: u64,
    tasks_max: Option<u32>,
    turn: u32,
}

impl Machine {
    /// Claims up to `limit` tasks.
    pub fn claim(&mut self, limit: usize, lease: u64) -> Vec<Claimed> {
        self.now += 1;
        let chosen = self.choose(limit);
        self.take(chosen, lease)
    }

    /// Two who claim at the same time. The lock makes one of them wait; without it both count the same free slots, and only a task
    /// is not taken twice.
    pub fn claim_at_once(&mut self, limit: usize, lease: u64) -> [Vec<Claimed>; 2] {
        if !self.guards.lack(Break::NoClaimLock) {
            return [self.claim(limit, lease), self.claim(limit, lease)];
        }
        self.now += 1;
        let one = self.choose(limit);
        let taken: BTreeSet<(usize, usize)> = one.iter().copied().collect();
        let before = self.clone();
        let first = self.take(one, lease);
        // The other looks past the rows that are locked, and at the free slots as they were.
        let other = before.choose_without(limit, &taken);
        [first, self.take(other, lease)]
    }

    fn choose(&self, limit: usize) -> Vec<(usize, usize)> {
        self.choose_without(limit, &BTreeSet::new())
    }

    fn choose_without(&self, limit: usize, locked: &BTreeSet<(usize, usize)>) -> Vec<(usize, usize)> {
        let (mut free, mut running) = self.busy();
        let mut ready = self.ready();
        ready.retain(|candidate| !locked.contains(&(candidate.run, candidate.task)));
        ready.retain(|candidate| free.get(candidate.pool).is_some_and(|free| *free > 0));
        ready.sort_by_key(|of| (Reverse(of.priority), of.ready_at, of.run, of.task));
        for candidate in &mut ready {
            let turn = running.entry(candidate.dag).or_insert(0);
            *turn += 1;
            candidate.turn = *turn;
        }
        ready.retain(|of| of.tasks_max.is_none_or(|max| of.turn <= max));
        ready.sort_by_key(|of| (Reverse(of.priority), of.turn, of.ready_at, of.run, of.task));
        // A large task at the head is waited for: what comes after it is not passed over, it is not reached.
        let fits = |of: &&Candidate| {
            let free = free.entry(of.pool).or_insert(0);
            *free -= i64::from(of.need);
            *free >= 0
        };
        ready.iter().filter(fits).take(limit).map(|of| (of.run, of.task)).collect()
    }

    /// Free slots by pool, and tasks that run by DAG.
    fn busy(&self) -> (BTreeMap<&'static str, i64>, BTreeMap<&'static str, u32>) {
        let mut free: BTreeMap<&'static str, i64> =
            self.pools.iter().map(|(name, size)| (*name, i64::from(*size))).collect();
        let mut running = BTreeMap::new();
        for run in &self.runs {
            for task in run.tasks.iter().filter(|task| task.state == TaskState::Running) {
                *free.entry(task.shape.pool).or_insert(0) -= i64::from(task.shape.slots);
                *running.entry(run.dag).or_insert(0) += 1;
            }
        }
        (free, running)
    }

    fn ready(&self) -> Vec<Candidate> {
        let mut found = vec![];
        for (run, of) in self.runs.iter().enumerate() {
            let is_due = |task: &Task| {
                matches!(task.state, TaskState::Ready | TaskState::Retrying) && task.ready_at <= self.now
            };
            let candidate = |(task, at): (usize, &Task)| Candidate {
                run,
                task,
                dag: of.dag,
                pool: at.shape.pool,
                need: at.shape.slots.min(self.pools.get(at.shape.pool).copied().unwrap_or(0)),
                priority: at.shape.priority,
                ready_at: at.ready_at,
                tasks_max: of.tasks_max,
                turn: 0,
            };
            found.extend(of.tasks.iter().enumerate().filter(|(_, task)| is_due(task)).map(candidate));
        }
        found
    }

    fn take(&mut self, chosen: Vec<(usize, usize)>, lease: u64) -> Vec<Claimed> {
        let mut claimed = vec![];
        for (run, at) in chosen {
            self.attempts += 1;
            let (id, until) = (self.attempts, self.now + lease);
            let task = &mut self.runs[run].tasks[at];
            task.attempt += u32::from(!task.deferred);
            (task.state, task.held, task.deferred) = (TaskState::Running, Some((id, until)), false);
            claimed.push(Claimed {
                run,
                task: at,
                id,
                tries: task.attempt - task.tries_before - task.rescues,
            });
        }
        claimed
    }
}
