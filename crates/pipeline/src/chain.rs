//! DAGs that follow DAGs, over all pipelines.

use crate::{Pipeline, Problem};
use std::collections::BTreeMap;

/// Each DAG with those that it follows.
type Upstreams<'a> = BTreeMap<&'a str, &'a [String]>;

/// Finds DAGs that follow what is not there, or themselves.
pub(crate) fn problems(pipelines: &[Pipeline]) -> Vec<Problem> {
    let dags =
        || pipelines.iter().flat_map(|pipeline| pipeline.dags.values().map(move |dag| (pipeline, dag)));
    let upstreams: Upstreams<'_> =
        dags().map(|(_, dag)| (dag.name.as_str(), dag.settings.after_dag.as_slice())).collect();
    let mut problems = vec![];
    for (pipeline, dag) in dags() {
        let mut say = |message: String| {
            let file = format!("{}/dags/{}.toml", pipeline.name, dag.name);
            problems.push(Problem::new(file, 1, message));
        };
        for unknown in dag.settings.after_dag.iter().filter(|name| !upstreams.contains_key(name.as_str())) {
            say(format!("after_dag names the DAG \"{unknown}\", which no pipeline has: check its spelling"));
        }
        if leads_to(&dag.name, &dag.name, &upstreams, upstreams.len()) {
            say(format!(
                "\"{}\" follows itself: its after_dag leads back to it, and it would run for ever",
                dag.name
            ));
        }
    }
    problems
}

/// Whether `to` is upstream of `from`, over at most so many steps: no path without a circle is longer than there are DAGs.
fn leads_to(to: &str, from: &str, upstreams: &Upstreams<'_>, steps: usize) -> bool {
    let mut reached = vec![from];
    for _ in 0..steps {
        let mut next: Vec<&str> = reached
            .iter()
            .filter_map(|dag| upstreams.get(dag))
            .flat_map(|all| all.iter())
            .map(String::as_str)
            .collect();
        next.sort_unstable();
        next.dedup();
        if next.contains(&to) {
            return true;
        }
        reached = next;
    }
    false
}
