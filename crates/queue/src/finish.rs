//! Ending tasks: their states, their children's counters, and their runs' ends. One transaction, and as many statements for one
//! ending as for many.

use crate::{
    Claim, Queue,
    claim::begin_soon,
    judge::{self, Counted, counting},
    map,
    tell::Tidings,
};
use model::{Break, Guards, TaskState};
use sqlx::{Connection, PgConnection, Row};
use std::{collections::BTreeSet, time::Duration};
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

    /// Ends claims, all or none: where a commit waits for the disk, all of them wait for it together. Answers in their order.
    pub async fn finish_all(&self, endings: &[(&Claim, &Ending)]) -> Result<Vec<Finished>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin_with(BEGIN).await?;
        let runs: Vec<Uuid> = endings.iter().map(|(claim, _)| claim.run_id).collect();
        lock_all(&mut transaction, &runs).await?;
        let (taken, counted) = write_endings(&mut transaction, self.guards, endings).await?;
        let (mut ended, mut tidings) = (judge::Ended::new(), Tidings::default());
        let were_taken = || endings.iter().filter(|(claim, _)| taken.contains(&claim.attempt_id));
        for (claim, ending) in were_taken() {
            tidings.run(claim.run_id);
            ended.extend(branched(&mut transaction, claim, ending).await?);
        }
        let items: Vec<(Uuid, &str)> = were_taken()
            .filter(|(_, ending)| is_counted(ending))
            .map(|(claim, _)| (claim.run_id, claim.task.as_str()))
            .collect();
        map::release_after(&mut transaction, items).await?;
        ended.extend(judge::judge_all(&mut transaction, &counted.children).await?);
        if judge::propagate(&mut transaction, ended, &counted.done).await? > 0 {
            tidings.chores();
        }
        transaction.commit().await?;
        tidings.tell_later(connection, endings.first().map(|(claim, _)| claim.holder.clone()));
        let said = |taken| if taken { Finished::Taken } else { Finished::Refused };
        Ok(endings.iter().map(|(claim, _)| said(taken.contains(&claim.attempt_id))).collect())
    }
}

/// The commit will not wait for the disk, unless it ends a run. What is lost with the server is lost from its end: never an ending
/// without those before it, or a claim without what it follows from. An ending that is lost is one whose holder died before it
/// could tell, and the task is done again when the lease ends. That a run has ended is told when the disk has it, and with it all of
/// its tasks' ends.
const BEGIN: &str = begin_soon!();

/// In one order everywhere, or two who end tasks of the same runs would wait for each other. A statement of its own: what follows must
/// see what the former holder of the lock has written.
async fn lock_all(connection: &mut PgConnection, runs: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT FROM run WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE")
        .bind(runs)
        .execute(connection)
        .await
        .map(drop)
}

/// Whether it ends its task, and is counted with the statement that writes it. A branch first says what it leaves out: its children would
/// be ready before.
fn is_counted(ending: &Ending) -> bool {
    match ending {
        Ending::Success(_) | Ending::Failed { retry_in: None, .. } | Ending::Skipped { .. } => true,
        Ending::Branched { .. } | Ending::Failed { .. } | Ending::Deferred { .. } => false,
    }
}

/// Skips what a branch does not choose. Answers it, and the branch with it, to be counted on their children.
async fn branched(
    connection: &mut PgConnection,
    claim: &Claim,
    ending: &Ending,
) -> Result<judge::Ended, sqlx::Error> {
    let Ending::Branched { left_out, reason, .. } = ending else { return Ok(vec![]) };
    let skipped = sqlx::query(include_str!("sql/leave_out.sql"))
        .bind(claim.run_id)
        .bind(left_out)
        .bind(&claim.task)
        .bind(reason)
        .fetch_all(connection)
        .await?;
    let mut ended = vec![(claim.run_id, claim.task.clone(), TaskState::Success)];
    for row in skipped {
        ended.push((claim.run_id, row.try_get("name")?, TaskState::Skipped));
    }
    Ok(ended)
}

/// What is written of an ending.
struct Written<'a> {
    state: TaskState,
    wait: Option<Duration>,
    result: Option<serde_json::Value>,
    reason: Option<&'a str>,
}

fn written(ending: &Ending, guards: Guards) -> Written<'_> {
    let bounded = |result| bounded(result, guards);
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
    Written { state, wait, result, reason: reason.map(String::as_str) }
}

/// Answers the attempts whose endings were taken, and what follows from those that are counted.
async fn write_endings(
    connection: &mut PgConnection,
    guards: Guards,
    endings: &[(&Claim, &Ending)],
) -> Result<(BTreeSet<Uuid>, Counted), sqlx::Error> {
    let written: Vec<Written> = endings.iter().map(|(_, ending)| written(ending, guards)).collect();
    let claims = || endings.iter().map(|(claim, _)| claim);
    let statement = counting!("sql/end_tasks.sql", "ended.attempt_id, ", " FULL JOIN ended ON false");
    let rows = sqlx::query(statement)
        .bind(claims().map(|claim| claim.run_id).collect::<Vec<_>>())
        .bind(claims().map(|claim| claim.task.as_str()).collect::<Vec<_>>())
        .bind(claims().map(|claim| claim.attempt_id).collect::<Vec<_>>())
        .bind(written.iter().map(|of| of.state.as_str()).collect::<Vec<_>>())
        .bind(written.iter().map(|of| of.wait.map(|wait| wait.as_secs_f64())).collect::<Vec<_>>())
        .bind(written.iter().map(|of| of.result.clone()).collect::<Vec<_>>())
        .bind(written.iter().map(|of| of.reason).collect::<Vec<_>>())
        .bind(endings.iter().map(|(_, ending)| matches!(ending, Ending::Deferred { .. })).collect::<Vec<_>>())
        .bind(endings.iter().map(|(_, ending)| is_counted(ending)).collect::<Vec<_>>())
        .bind(guards.lack(Break::AnyAttempt))
        .fetch_all(connection)
        .await?;
    let (mut taken, mut counted) = (BTreeSet::new(), vec![]);
    for row in rows {
        match row.try_get("attempt_id")? {
            Some(attempt_id) => drop(taken.insert(attempt_id)),
            None => counted.push(row),
        }
    }
    Ok((taken, Counted::of(counted)?))
}

fn bounded(result: &serde_json::Value, guards: Guards) -> serde_json::Value {
    let bytes = result.to_string().len();
    if bytes <= RESULT_BYTES_MAX || guards.lack(Break::LargeResults) {
        return result.clone();
    }
    serde_json::json!({ "left_out": format!("the result has {bytes} bytes, more than {RESULT_BYTES_MAX}") })
}
