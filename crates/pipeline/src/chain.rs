//! DAGs that follow DAGs, over all pipelines.

use crate::{Pipeline, Problem, graph};
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
        let follows = |name: &str| upstreams.get(name).into_iter().flat_map(|all| all.iter());
        let upstream = graph::reach([dag.name.as_str()], |name| follows(name).map(String::as_str));
        if upstream.contains(dag.name.as_str()) {
            say(format!(
                "\"{}\" follows itself: its after_dag leads back to it, and it would run for ever",
                dag.name
            ));
        }
    }
    problems
}
