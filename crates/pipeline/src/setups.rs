//! What a setup stands for: the tasks between it and its teardown, however far below it they are.

use crate::{Dag, Task, dag::below};
use model::TriggerRule;
use std::collections::BTreeMap;

impl Dag {
    /// The setups that a task needs and does not name in `after`, by task. Such a task waits for them as for its parents: a setup that
    /// failed fails it, and after a clear it does not begin before its setup has run again. As in Airflow, a setup stands for all below
    /// it that is not below its teardown; here, for those of them with the rule `all_success`.
    pub fn needed_setups(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut needed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let setups: Vec<&Task> = self.tasks.values().filter(|task| task.setup).collect();
        if setups.is_empty() {
            return needed;
        }
        let children = self.children_by_parent();
        for setup in setups {
            let after_it = below(&children, self.teardowns_of(&setup.name));
            let needs = |name: &&str| {
                let task = &self.tasks[*name];
                let waits = task.trigger_rule == TriggerRule::AllSuccess && !task.after.contains(&setup.name);
                waits && task.teardown.is_empty() && !after_it.contains(*name)
            };
            for task in below(&children, [setup.name.as_str()]).into_iter().filter(needs) {
                needed.entry(task).or_default().push(&setup.name);
            }
        }
        needed
    }

    fn teardowns_of<'a>(&'a self, setup: &'a str) -> impl Iterator<Item = &'a str> {
        let takes_it_down = move |task: &&Task| task.teardown.iter().any(|name| name == setup);
        self.tasks.values().filter(takes_it_down).map(|task| task.name.as_str())
    }
}

#[cfg(test)]
mod tests;
