//! A run that goes on with the newest version of its DAG: what has not run yet, and what is to run again, is as that version has it.

use crate::NewRun;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How clearing with the newest version went.
#[derive(Clone, Debug, PartialEq)]
pub enum Renewed {
    /// So many tasks run again, all as the newest version has them.
    Cleared(u64),
    /// The run's tasks are not those of the newest version; why. Nothing was changed.
    Unfit(String),
}

/// What must be the same in both versions: tasks, who waits for whom, and who has items.
#[derive(Debug, Default, PartialEq)]
struct Shape {
    /// Whether a task is done once for each item.
    tasks: BTreeMap<String, bool>,
    /// Parent, child, and whether the parent is a setup of the child.
    edges: BTreeSet<(String, String, bool)>,
}

/// Why a locked run can't go on with `newest`; nothing where it can.
pub(crate) async fn unfit(
    connection: &mut PgConnection,
    run_id: Uuid,
    newest: &NewRun,
) -> Result<Option<String>, sqlx::Error> {
    let tasks: Vec<(String, bool)> =
        sqlx::query_as("SELECT name, kind = 'foreach' FROM task WHERE run_id = $1 AND map_of IS NULL")
            .bind(run_id)
            .fetch_all(&mut *connection)
            .await?;
    let edges: Vec<(String, String, bool)> =
        sqlx::query_as(include_str!("sql/edges_of_tasks.sql")).bind(run_id).fetch_all(connection).await?;
    let shape = Shape { tasks: tasks.into_iter().collect(), edges: edges.into_iter().collect() };
    Ok(differs(&shape, &Shape::of(newest)).map(|how| {
        format!(
            "the newest version of DAG \"{}\" does not fit run {run_id}: {how}. Clear it with the version that it has, or trigger a new run",
            newest.dag
        )
    }))
}

impl Shape {
    fn of(newest: &NewRun) -> Self {
        let edges = newest.tasks.iter().flat_map(|task| {
            let setup = |parent: &String| task.teardown_of.contains(parent);
            let named = task.after.iter().filter(|parent| !task.implied.contains(parent));
            named.map(move |parent| (parent.clone(), task.name.clone(), setup(parent)))
        });
        Self {
            tasks: newest.tasks.iter().map(|task| (task.name.clone(), task.kind == "foreach")).collect(),
            edges: edges.collect(),
        }
    }
}

fn differs(run: &Shape, newest: &Shape) -> Option<String> {
    if let Some(gone) = run.tasks.keys().find(|name| !newest.tasks.contains_key(*name)) {
        return Some(format!("it no longer has the task \"{gone}\""));
    }
    if let Some(added) = newest.tasks.keys().find(|name| !run.tasks.contains_key(*name)) {
        return Some(format!("it has the task \"{added}\", which the run does not have"));
    }
    if let Some((name, _)) = run.tasks.iter().find(|(name, items)| newest.tasks.get(*name) != Some(items)) {
        return Some(format!("the task \"{name}\" has a foreach in one of them only"));
    }
    let (_, child, _) = run.edges.symmetric_difference(&newest.edges).next()?;
    Some(format!("the task \"{child}\" does not wait for the same tasks"))
}

/// Gives a locked run the newest version. Answers what is written down of it.
pub(crate) async fn renew(
    connection: &mut PgConnection,
    run_id: Uuid,
    newest: &NewRun,
) -> Result<Value, sqlx::Error> {
    let before: (String,) =
        sqlx::query_as("SELECT hash FROM run WHERE id = $1").bind(run_id).fetch_one(&mut *connection).await?;
    sqlx::query(include_str!("sql/renew_run.sql"))
        .bind(run_id)
        .bind(&newest.pipeline)
        .bind(&newest.hash)
        .bind(newest.max_active_runs as i32)
        .bind(newest.expected_in_seconds)
        .bind(Value::Object(newest.params.clone()))
        .bind(newest.timeout_seconds)
        .execute(&mut *connection)
        .await?;
    sqlx::query(include_str!("sql/renew_tasks.sql"))
        .bind(run_id)
        .bind(json!(newest.tasks))
        .bind(newest.max_active_tasks)
        .execute(connection)
        .await?;
    Ok(json!({ "from": before.0, "to": newest.hash }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(tasks: &[(&str, bool)], edges: &[(&str, &str)]) -> Shape {
        Shape {
            tasks: tasks.iter().map(|(name, items)| ((*name).to_owned(), *items)).collect(),
            edges: edges.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned(), false)).collect(),
        }
    }

    #[test]
    fn the_newest_version_fits_where_tasks_and_their_order_are_the_same() {
        let run = || shape(&[("a", false), ("b", false)], &[("a", "b")]);
        let cases = [
            (run(), None),
            (shape(&[("a", false)], &[]), Some("it no longer has the task \"b\"")),
            (
                shape(&[("a", false), ("b", false), ("c", false)], &[("a", "b")]),
                Some("it has the task \"c\", which the run does not have"),
            ),
            (
                shape(&[("a", false), ("b", true)], &[("a", "b")]),
                Some("the task \"b\" has a foreach in one of them only"),
            ),
            (
                shape(&[("a", false), ("b", false)], &[]),
                Some("the task \"b\" does not wait for the same tasks"),
            ),
        ];
        for (newest, expected) in cases {
            assert_eq!(differs(&run(), &newest).as_deref(), expected, "{newest:?}");
        }
    }
}
