//! Ending a task: its state, its children's counters, and the run's end. One transaction.

use crate::{CHANNEL, CHORES_CHANNEL, Claim, Hint, Queue, STOP_CHANNEL, map, run::lock};
use model::{ParentCounts, RunState, TaskState, TriggerRule, Verdict};
use sqlx::{PgConnection, Row, postgres::PgRow};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use uuid::Uuid;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    Success(serde_json::Value),
    /// Success of a branch: these of its children are left out.
    Branched {
        result: serde_json::Value,
        left_out: Vec<String>,
        reason: String,
    },
    /// Fails the task, unless it is to be tried again after `retry_in`.
    Failed {
        reason: String,
        retry_in: Option<Duration>,
    },
    Skipped {
        reason: String,
    },
    /// Not ended: looks again after so long. No try is counted, and no worker is held.
    /// `kept` is handed to the next look.
    Deferred {
        look_again_in: Duration,
        reason: String,
        kept: Option<serde_json::Value>,
    },
}

/// What the database said to an ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    Taken,
    /// The claim is no longer ours: the lease had ended, or the run was ended. Nothing was changed.
    Refused,
}

/// A result is kept for later tasks and people, not as a store of data.
pub const RESULT_BYTES_MAX: usize = 64 * 1024;

impl Queue {
    /// Ends a claim.
    pub async fn finish(&self, claim: &Claim, ending: &Ending) -> Result<Finished, sqlx::Error> {
        let said = self.finish_all(&[(claim, ending)]).await?;
        Ok(said.into_iter().next().unwrap_or(Finished::Refused))
    }

    /// Ends claims, all or none: a commit waits for the disk, and so all of them wait for it together. Answers in their order.
    pub async fn finish_all(&self, endings: &[(&Claim, &Ending)]) -> Result<Vec<Finished>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        // In one order everywhere, or two who end tasks of the same runs would wait for each other.
        let runs: BTreeSet<Uuid> = endings.iter().map(|(claim, _)| claim.run_id).collect();
        for run_id in &runs {
            lock(&mut transaction, *run_id).await?;
        }
        let (mut said, mut ended) = (vec![], BTreeMap::<Uuid, Ended>::new());
        for (claim, ending) in endings {
            let taken = write_ending(&mut transaction, claim, ending).await?;
            if taken == Finished::Taken {
                let ended = ended.entry(claim.run_id).or_default();
                if let Some(state) = final_state(ending) {
                    ended.extend(left_out(&mut transaction, claim, ending).await?);
                    ended.push((claim.task.clone(), state));
                }
            }
            said.push(taken);
        }
        for (run_id, ended) in ended {
            if !ended.is_empty() {
                propagate(&mut transaction, run_id, ended).await?;
            }
            let holder = endings.first().map(|(claim, _)| claim.holder.as_str());
            tell(&mut transaction, CHANNEL, Hint { run_id, holder }).await?;
        }
        transaction.commit().await?;
        Ok(said)
    }
}

/// Tasks that have ended, and how.
type Ended = Vec<(String, TaskState)>;

fn final_state(ending: &Ending) -> Option<TaskState> {
    match ending {
        Ending::Success(_) | Ending::Branched { .. } => Some(TaskState::Success),
        Ending::Failed { retry_in: None, .. } => Some(TaskState::Failed),
        Ending::Skipped { .. } => Some(TaskState::Skipped),
        Ending::Failed { .. } | Ending::Deferred { .. } => None,
    }
}

/// Skips what a branch does not choose. Answers it, to be counted on its children.
async fn left_out(
    connection: &mut PgConnection,
    claim: &Claim,
    ending: &Ending,
) -> Result<Ended, sqlx::Error> {
    let Ending::Branched { left_out, reason, .. } = ending else { return Ok(vec![]) };
    let skipped = sqlx::query(include_str!("sql/leave_out.sql"))
        .bind(claim.run_id)
        .bind(left_out)
        .bind(&claim.task)
        .bind(reason)
        .fetch_all(connection)
        .await?;
    skipped.iter().map(|row| Ok((row.try_get("name")?, TaskState::Skipped))).collect()
}

async fn write_ending(
    connection: &mut PgConnection,
    claim: &Claim,
    ending: &Ending,
) -> Result<Finished, sqlx::Error> {
    let (state, wait, result, reason) = match ending {
        Ending::Success(result) | Ending::Branched { result, .. } => {
            (TaskState::Success, None, Some(bounded(result)), None)
        }
        Ending::Failed { reason, retry_in: None } => (TaskState::Failed, None, None, Some(reason)),
        Ending::Failed { reason, retry_in: Some(wait) } => {
            (TaskState::Retrying, Some(*wait), None, Some(reason))
        }
        Ending::Skipped { reason } => (TaskState::Skipped, None, None, Some(reason)),
        Ending::Deferred { look_again_in, reason, kept } => {
            (TaskState::Ready, Some(*look_again_in), kept.as_ref().map(bounded), Some(reason))
        }
    };
    let taken: i64 = sqlx::query(include_str!("sql/end_task.sql"))
        .bind(claim.run_id)
        .bind(&claim.task)
        .bind(claim.attempt_id)
        .bind(state.as_str())
        .bind(wait.map(|wait| wait.as_secs_f64()))
        .bind(result)
        .bind(reason)
        .bind(matches!(ending, Ending::Deferred { .. }))
        .fetch_one(connection)
        .await?
        .try_get("taken")?;
    Ok(if taken > 0 { Finished::Taken } else { Finished::Refused })
}

fn bounded(result: &serde_json::Value) -> serde_json::Value {
    let bytes = result.to_string().len();
    if bytes <= RESULT_BYTES_MAX {
        return result.clone();
    }
    serde_json::json!({ "left_out": format!("the result has {bytes} bytes, more than {RESULT_BYTES_MAX}") })
}

/// Counts ended tasks on their children, judges those, and goes on with children that ended by it.
pub(crate) async fn propagate(
    connection: &mut PgConnection,
    run_id: Uuid,
    mut ended: Ended,
) -> Result<(), sqlx::Error> {
    let mut count = 0;
    while let Some((task, state)) = ended.pop() {
        count += 1;
        map::release_after(connection, run_id, &task).await?;
        let children = sqlx::query(include_str!("sql/count_on_children.sql"))
            .bind(run_id)
            .bind(&task)
            .bind(state.as_str())
            .fetch_all(&mut *connection)
            .await?;
        ended
            .extend(judge_all(connection, run_id, &children, &format!("\"{task}\" ended as {state}")).await?);
    }
    let left: i32 =
        sqlx::query("UPDATE run SET tasks_left = tasks_left - $2 WHERE id = $1 RETURNING tasks_left")
            .bind(run_id)
            .bind(count)
            .fetch_one(&mut *connection)
            .await?
            .try_get("tasks_left")?;
    if left <= 0 { end_if_done(connection, run_id).await } else { Ok(()) }
}

/// Counts the parents of every waiting task anew and judges it. O(tasks): for what people do, not for what tasks do.
pub(crate) async fn settle(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    map::release_all(connection, run_id).await?;
    let waiting =
        sqlx::query(include_str!("sql/recount.sql")).bind(run_id).fetch_all(&mut *connection).await?;
    let ended = judge_all(connection, run_id, &waiting, "what it waits for ended otherwise").await?;
    propagate(connection, run_id, ended).await
}

/// Writes what became of waiting tasks by their rules. Answers those that ended by it.
async fn judge_all(
    connection: &mut PgConnection,
    run_id: Uuid,
    waiting: &[PgRow],
    cause: &str,
) -> Result<Ended, sqlx::Error> {
    let (mut names, mut states, mut reasons, mut ended) = (vec![], vec![], vec![], vec![]);
    for row in waiting {
        let name: String = row.try_get("name")?;
        let next = match judge(row)? {
            Verdict::Wait => continue,
            Verdict::Run => TaskState::Ready,
            Verdict::Skipped => TaskState::Skipped,
            Verdict::UpstreamFailed => TaskState::UpstreamFailed,
        };
        if next.is_final() {
            ended.push((name.clone(), next));
        }
        names.push(name);
        states.push(next.as_str());
        reasons.push(next.is_final().then(|| cause.to_owned()));
    }
    if !names.is_empty() {
        sqlx::query(include_str!("sql/apply_verdicts.sql"))
            .bind(run_id)
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

/// Ends a run whose tasks have all ended: by its leaves, as Airflow does.
pub(crate) async fn end_if_done(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    let ended = sqlx::query(include_str!("sql/end_run.sql"))
        .bind(run_id)
        .bind(RunState::Success.as_str())
        .bind(RunState::Failed.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = ended {
        let state: String = row.try_get("state")?;
        tracing::info!(run.id = %run_id, "run ended: {state}");
        notify_chores(connection).await?;
    }
    Ok(())
}

pub(crate) async fn notify(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    tell(connection, CHANNEL, Hint { run_id, holder: None }).await
}

/// Tells holders of the run's tasks that some are no longer theirs. Who misses it finds out when it lengthens its leases.
pub(crate) async fn notify_stop(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    tell(connection, STOP_CHANNEL, run_id).await
}

/// Tells schedulers that a place is free, or a DAG due: who misses it finds out at the next tick.
pub(crate) async fn notify_chores(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    tell(connection, CHORES_CHANNEL, "").await
}

async fn tell(
    connection: &mut PgConnection,
    channel: &str,
    payload: impl ToString,
) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(channel)
        .bind(payload.to_string())
        .execute(connection)
        .await
        .map(drop)
}
