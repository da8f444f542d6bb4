//! What must hold after each step, whatever happened.

use super::{Machine, Run, Task};
use crate::{RunState, TaskState};
use std::collections::BTreeSet;

impl Machine {
    /// The first thing that does not hold, as a sentence.
    pub fn check(&self) -> Result<(), String> {
        self.check_pools()?;
        let keys: BTreeSet<&str> = self.runs.iter().map(|run| &*run.key).collect();
        ensure(keys.len() == self.runs.len(), || "a key has two runs".into())?;
        for (number, run) in self.runs.iter().enumerate() {
            check_run(run).map_err(|cause| format!("run {number}: {cause}"))?;
        }
        Ok(())
    }

    fn check_pools(&self) -> Result<(), String> {
        for (name, size) in &self.pools {
            let tasks = self.runs.iter().flat_map(|run| &run.tasks);
            let running = tasks.filter(|task| task.state == TaskState::Running && task.shape.pool == *name);
            let taken: u32 = running.map(|task| task.shape.slots.min(*size)).sum();
            ensure(taken <= *size, || format!("pool {name} has {size} slots, and {taken} are taken"))?;
        }
        Ok(())
    }
}

fn check_run(run: &Run) -> Result<(), String> {
    let open = run.tasks.iter().filter(|task| !task.state.is_final()).count();
    ensure(!run.tasks.is_empty(), || "it has no tasks, and nobody will make them".into())?;
    if run.state.is_final() {
        return ensure(open == 0, || format!("it has ended, and {open} of its tasks have not"));
    }
    ensure(open > 0, || "all its tasks have ended, and it has not".into())?;
    ensure(run.tasks_left == open, || format!("it counts {} open tasks of {open}", run.tasks_left))?;
    let goes_on =
        |task: &Task| matches!(task.state, TaskState::Ready | TaskState::Retrying | TaskState::Running);
    ensure(run.state == RunState::Running && run.tasks.iter().any(goes_on), || {
        "nothing in it can go on".into()
    })?;
    (0..run.tasks.len()).try_for_each(|at| check_task(run, at).map_err(|cause| format!("task {at}: {cause}")))
}

fn check_task(run: &Run, at: usize) -> Result<(), String> {
    let task = &run.tasks[at];
    ensure(task.ends <= 1, || format!("{} endings were taken", task.ends))?;
    ensure((task.ends == 1) == task.state.is_final(), || {
        format!("it is {}, by {} endings", task.state, task.ends)
    })?;
    let held = task.held.is_some();
    ensure(held == (task.state == TaskState::Running), || format!("it is {}, and held: {held}", task.state))?;
    if task.state != TaskState::Waiting {
        return Ok(());
    }
    let truth = run.parents(at);
    ensure(truth == task.counts, || format!("it counts {:?}, and its parents are {truth:?}", task.counts))
}

fn ensure(holds: bool, else_told: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(else_told()) }
}
