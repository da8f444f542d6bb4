//! What follows from the ends of tasks: counters of their children, the children's verdicts, and the ends of runs.
//!
//! All of it is done for any number of ended tasks at once, whatever runs they are of, a generation of children after the other.

use crate::{map, tell};
use model::{ParentCounts, RunState, TaskState, TriggerRule, Verdict};
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

/// Tasks that have ended: of which run, and how.
pub(crate) type Ended = Vec<(Uuid, String, TaskState)>;

/// Counts ended tasks on their children, judges those, and goes on with children that ended by it. Their runs, and `also`, end
/// where nothing of them is left. Answers how many runs ended.
pub(crate) async fn propagate(
    connection: &mut PgConnection,
    mut ended: Ended,
    also: &[Uuid],
) -> Result<usize, sqlx::Error> {
    let mut done = also.to_vec();
    while !ended.is_empty() {
        map::release_after(connection, ended.iter().map(|(run_id, task, _)| (*run_id, task.as_str())))
            .await?;
        let counted = count(connection, &ended).await?;
        ended = judge_all(connection, &counted.children).await?;
        done.extend(counted.done);
    }
    end_runs(connection, &done).await
}

/// The statement that counts what the one before it has ended, and answers this with the columns that are named first.
macro_rules! counting {
    ($ended:literal, $columns:literal, $also:literal) => {
        concat!(
            include_str!($ended),
            include_str!("sql/count.sql"),
            "SELECT ",
            $columns,
            "children.*, runs.id AS counted_run, runs.tasks_left FROM children FULL JOIN runs ON false",
            $also
        )
    };
}
pub(crate) use counting;

/// What the ends of tasks have changed.
pub(crate) struct Counted {
    /// The children of those tasks.
    pub(crate) children: Vec<PgRow>,
    /// The runs of which nothing is left.
    pub(crate) done: Vec<Uuid>,
}

impl Counted {
    /// Each row is a child, or a run.
    pub(crate) fn of(rows: Vec<PgRow>) -> Result<Self, sqlx::Error> {
        let mut counted = Self { children: vec![], done: vec![] };
        for row in rows {
            match row.try_get("counted_run")? {
                None => counted.children.push(row),
                Some(run_id) if row.try_get::<i32, _>("tasks_left")? <= 0 => counted.done.push(run_id),
                Some(_) => {}
            }
        }
        Ok(counted)
    }
}

async fn count(connection: &mut PgConnection, ended: &Ended) -> Result<Counted, sqlx::Error> {
    let rows = sqlx::query(counting!("sql/ended.sql", "", ""))
        .bind(ended.iter().map(|(run_id, ..)| *run_id).collect::<Vec<_>>())
        .bind(ended.iter().map(|(_, task, _)| task.as_str()).collect::<Vec<_>>())
        .bind(ended.iter().map(|(.., state)| state.as_str()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    Counted::of(rows)
}

/// Counts the parents of every waiting task of a run anew and judges it. O(tasks): for what people do, not for what tasks do.
pub(crate) async fn settle(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    map::release_all(connection, run_id).await?;
    let waiting =
        sqlx::query(include_str!("sql/recount.sql")).bind(run_id).fetch_all(&mut *connection).await?;
    let ended = judge_all(connection, &waiting).await?;
    if propagate(connection, ended, &[run_id]).await? > 0 {
        tell::chores(connection).await?;
    }
    Ok(())
}

/// Writes what became of waiting tasks by their rules. Answers those that ended by it.
pub(crate) async fn judge_all(
    connection: &mut PgConnection,
    waiting: &[PgRow],
) -> Result<Ended, sqlx::Error> {
    let (mut runs, mut names, mut states, mut reasons) = (vec![], vec![], vec![], vec![]);
    let mut ended = Ended::new();
    for row in waiting {
        if row.try_get::<&str, _>("state")? != TaskState::Waiting.as_str() {
            continue;
        }
        let next = match judge(row)? {
            Verdict::Wait => continue,
            Verdict::Run => TaskState::Ready,
            Verdict::Skipped => TaskState::Skipped,
            Verdict::UpstreamFailed => TaskState::UpstreamFailed,
        };
        let (run_id, name): (Uuid, String) = (row.try_get("run_id")?, row.try_get("name")?);
        if next.is_final() {
            ended.push((run_id, name.clone(), next));
        }
        reasons.push(if next.is_final() { row.try_get::<Option<String>, _>("cause")? } else { None });
        runs.push(run_id);
        names.push(name);
        states.push(next.as_str());
    }
    if !names.is_empty() {
        sqlx::query(include_str!("sql/apply_verdicts.sql"))
            .bind(runs)
            .bind(names)
            .bind(states)
            .bind(reasons)
            .execute(connection)
            .await?;
    }
    Ok(ended)
}

fn judge(row: &PgRow) -> Result<Verdict, sqlx::Error> {
    let rule: String = row.try_get("rule")?;
    let rule: TriggerRule = serde_json::from_value(rule.into()).unwrap_or_default();
    let parents = ParentCounts {
        upstream: row.try_get("upstream")?,
        success: row.try_get("success")?,
        skipped: row.try_get("skipped")?,
        failed: row.try_get("failed")?,
        upstream_failed: row.try_get("upstream_failed")?,
        removed: row.try_get("removed")?,
        setups: row.try_get("setups")?,
        setup_success: row.try_get("setup_success")?,
        setup_skipped: row.try_get("setup_skipped")?,
    };
    Ok(rule.judge(parents))
}

/// Ends those of the runs whose tasks have all ended: by their leaves, as Airflow does. Answers how many.
pub(crate) async fn end_runs(connection: &mut PgConnection, runs: &[Uuid]) -> Result<usize, sqlx::Error> {
    if runs.is_empty() {
        return Ok(0);
    }
    let ended: Vec<(Uuid, String, String)> = sqlx::query_as(include_str!("sql/end_runs.sql"))
        .bind(runs)
        .bind(RunState::Success.as_str())
        .bind(RunState::Failed.as_str())
        .fetch_all(connection)
        .await?;
    for (run_id, state, _) in &ended {
        tracing::info!(run.id = %run_id, "run ended: {state}");
    }
    Ok(ended.len())
}
