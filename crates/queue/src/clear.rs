//! A clear: tasks of a run are to run again.

use crate::{
    By, NewRun, Queue, Renewed,
    act::{On, go_on, record},
    renew,
    run::lock,
    setups::TakenDown,
    tell,
};
use pipeline::graph;
use serde_json::json;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Which tasks of a run are to run again.
#[derive(Clone, Debug, PartialEq)]
pub struct Clear {
    /// All, where absent.
    pub tasks: Option<Vec<String>>,
    /// Also what waits for them, and what they wait for, at any distance.
    pub downstream: bool,
    pub upstream: bool,
    /// Only those that did not succeed.
    pub only_failed: bool,
}

impl Clear {
    /// All that did not succeed.
    pub fn failed() -> Self {
        Self { tasks: None, downstream: false, upstream: false, only_failed: true }
    }
}

impl Queue {
    /// Lets tasks of a run run again; what is running of them is stopped. Answers how many.
    pub async fn clear(&self, run_id: Uuid, which: &Clear, by: &By) -> Result<u64, sqlx::Error> {
        let names = self.named(run_id, which).await?;
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, run_id).await?;
        let cleared = clear(&mut transaction, run_id, names.as_deref(), which.only_failed, None, by).await?;
        transaction.commit().await?;
        Ok(cleared)
    }

    /// The same, and the run goes on with the newest version of its DAG, in one transaction.
    pub async fn clear_with(
        &self,
        run_id: Uuid,
        which: &Clear,
        newest: &NewRun,
        by: &By,
    ) -> Result<Renewed, sqlx::Error> {
        let names = self.named(run_id, which).await?;
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, run_id).await?;
        if let Some(why) = renew::unfit(&mut transaction, run_id, newest).await? {
            return Ok(Renewed::Unfit(why));
        }
        let (names, only_failed) = (names.as_deref(), which.only_failed);
        let cleared = clear(&mut transaction, run_id, names, only_failed, Some(newest), by).await?;
        transaction.commit().await?;
        Ok(Renewed::Cleared(cleared))
    }

    /// The tasks that a clear means by name; none where it means all.
    async fn named(&self, run_id: Uuid, which: &Clear) -> Result<Option<Vec<String>>, sqlx::Error> {
        Ok(match &which.tasks {
            Some(tasks) => Some(around(&self.edges(run_id).await?, tasks, which.downstream, which.upstream)),
            None => None,
        })
    }
}

/// Clears tasks of a run that is locked: those of these names, or all; and the setups that they need again. With another version, what
/// does not run and has not ended is as that one has it. Answers how many.
pub(crate) async fn clear(
    connection: &mut PgConnection,
    run_id: Uuid,
    names: Option<&[String]>,
    only_failed: bool,
    newest: Option<&NewRun>,
    by: &By,
) -> Result<u64, sqlx::Error> {
    let taken_down = TakenDown::of(connection, run_id).await?;
    let mut cleared = clear_named(connection, run_id, names, only_failed).await?;
    let beside = taken_down.beside(&cleared);
    if !beside.is_empty() {
        cleared.extend(clear_named(connection, run_id, Some(&beside), false).await?);
    }
    if !cleared.is_empty() {
        let version = match newest {
            Some(newest) => Some(renew::renew(connection, run_id, newest).await?),
            None => None,
        };
        let dag = go_on(connection, run_id, REOPEN).await?;
        let mut detail = json!({ "tasks": names, "only_failed": only_failed, "cleared": cleared.len() });
        if let Some(version) = version {
            detail["version"] = version;
        }
        record(connection, by, "clear", On::run(&dag, run_id), detail).await?;
        tell::stop(connection, run_id).await?;
    }
    Ok(cleared.len() as u64)
}

/// Answers which tasks have been cleared.
async fn clear_named(
    connection: &mut PgConnection,
    run_id: Uuid,
    names: Option<&[String]>,
    only_failed: bool,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(include_str!("sql/clear.sql"))
        .bind(run_id)
        .bind(names)
        .bind(only_failed)
        .fetch_all(connection)
        .await
}

/// These tasks, and what waits for them or what they wait for, at any distance.
fn around(edges: &[(String, String)], tasks: &[String], downstream: bool, upstream: bool) -> Vec<String> {
    let mut found: BTreeSet<&str> = tasks.iter().map(String::as_str).collect();
    if downstream {
        found.extend(reach(tasks, edges.iter().map(|(parent, child)| (parent.as_str(), child.as_str()))));
    }
    if upstream {
        found.extend(reach(tasks, edges.iter().map(|(parent, child)| (child.as_str(), parent.as_str()))));
    }
    found.into_iter().map(str::to_owned).collect()
}

fn reach<'a>(tasks: &'a [String], steps: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeSet<&'a str> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in steps {
        next.entry(from).or_default().push(to);
    }
    graph::reach(tasks.iter().map(String::as_str), |at| next.get(at).into_iter().flatten().copied())
}

/// A cleared run goes on: at once where it is open, else when its DAG has a place for it.
const REOPEN: &str = include_str!("sql/reopen.sql");
