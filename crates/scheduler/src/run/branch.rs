//! `branch`: which of the tasks that wait for it go on.

use super::{Job, Outcome};
use pipeline::{Choice, Dag};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub fn run(job: &Job<'_>, choose: &Choice) -> Outcome {
    let Some(dag) = job.pipeline.dags.get(&job.claim.dag) else {
        return Outcome::Failed("the DAG's version no longer has this task".into());
    };
    let chosen = match choose {
        Choice::Names(names) => names.iter().map(|name| job.fill(name)).collect(),
        Choice::Template(text) => job.fill(text).map(|filled| names(&filled)),
    };
    match chosen.and_then(|chosen| Ok((left_out(dag, &job.task.name, &chosen)?, chosen))) {
        Ok((left_out, chosen)) => Outcome::Chosen { chosen, left_out },
        Err(reason) => Outcome::Failed(reason),
    }
}

/// A list of names as JSON, one name, or nothing.
fn names(text: &str) -> Vec<String> {
    match serde_json::from_str(text) {
        Ok(Value::Array(names)) => names
            .into_iter()
            .map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned))
            .collect(),
        Ok(Value::Null) => vec![],
        _ => [text.trim()].iter().filter(|name| !name.is_empty()).map(|name| (*name).to_owned()).collect(),
    }
}

/// As Airflow has it: a task that also follows one that was chosen is not left out, and a teardown is done in any case.
fn left_out(dag: &Dag, branch: &str, chosen: &[String]) -> Result<Vec<String>, String> {
    let children: BTreeSet<&str> = dag.children(branch).map(|child| child.name.as_str()).collect();
    if let Some(wrong) = chosen.iter().find(|name| !children.contains(name.as_str())) {
        let known = children.into_iter().collect::<Vec<_>>().join(", ");
        return Err(format!("chooses \"{wrong}\", which does not wait for it; there are: {known}"));
    }
    let follow = dag.descendants(chosen);
    let kept = |name: &str| {
        chosen.iter().any(|it| it == name)
            || follow.contains(name)
            || dag.tasks.get(name).is_some_and(|task| !task.teardown.is_empty())
    };
    Ok(children.into_iter().filter(|name| !kept(name)).map(str::to_owned).collect())
}

/// `"pick" chose x, y`
pub fn told(branch: &str, chosen: &[String]) -> (Value, String) {
    let names = if chosen.is_empty() { "none".into() } else { chosen.join(", ") };
    (json!({ "chose": chosen }), format!("the branch \"{branch}\" chose {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::{Bundle, Pipeline};

    const DAG: &str = r#"
[tasks.b]
kind = "branch"
choose = "x"
setup = true
[tasks.x]
kind = "noop"
after = ["b"]
[tasks.y]
kind = "noop"
after = ["b"]
[tasks.join]
kind = "noop"
after = ["b", "x", "y"]
[tasks.drop]
kind = "noop"
teardown = ["b"]
"#;

    #[test]
    fn what_is_not_chosen_and_follows_nothing_chosen_is_left_out() {
        let files =
            [("pipeline.toml".to_owned(), String::new()), ("dags/d.toml".to_owned(), DAG.into())].into();
        let pipeline = Pipeline::parse(&Bundle { name: "p".into(), files }).unwrap();
        let cases = [
            ("x", Ok("y")),
            ("[\"x\", \"y\"]", Ok("")),
            ("join", Ok("x,y")),
            ("", Ok("join,x,y")),
            ("[]", Ok("join,x,y")),
            ("z", Err("chooses \"z\", which does not wait for it; there are: drop, join, x, y")),
        ];
        for (text, expected) in cases {
            let found = left_out(&pipeline.dags["d"], "b", &names(text)).map(|names| names.join(","));
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }
}
