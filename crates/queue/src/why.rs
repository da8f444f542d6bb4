//! Why a task waits: one sentence, from what is so at this moment.
//!
//! It is asked for, not kept: a kept reason is wrong as soon as what it names moves on.

use crate::{Queue, TaskRow};
use chrono::{DateTime, Utc};
use model::TaskState;
use sqlx::{Row, postgres::PgRow};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What holds a task back, or might.
#[derive(Clone, Debug)]
struct Held {
    state: TaskState,
    /// Of its last failure or look.
    reason: Option<String>,
    deferred: bool,
    attempt: i32,
    ready_at: Option<DateTime<Utc>>,
    /// Whether `ready_at` is to come.
    later: bool,
    dag: String,
    run_queued: bool,
    max_active_runs: i32,
    /// Of its backfill: the state, and how many of its runs are open at once.
    backfill: Option<(String, i32)>,
    pool: Pool,
    tasks_max: Option<i32>,
    dag_tasks: i64,
    parent: Option<(String, String, Option<DateTime<Utc>>)>,
    past: Option<(String, Uuid)>,
    /// Of an item: its task, and how many of the items may be open at once.
    item_of: Option<(String, Option<i32>)>,
}

#[derive(Clone, Debug)]
struct Pool {
    name: String,
    /// None where no such pool is known.
    slots: Option<i64>,
    taken: i64,
    need: i64,
    most_by: Option<String>,
    /// A large task that comes first: its name, DAG and slots.
    head: Option<(String, String, i64)>,
}

impl Queue {
    /// The tasks of a run; each that neither runs nor has ended says why.
    pub async fn tasks_explained(&self, run_id: Uuid) -> Result<Vec<TaskRow>, sqlx::Error> {
        let mut tasks = self.tasks(run_id).await?;
        let rows = sqlx::query(include_str!("sql/why.sql")).bind(run_id).fetch_all(&self.pool).await?;
        let mut why = BTreeMap::new();
        for row in &rows {
            why.insert(row.try_get::<String, _>("name")?, held(row)?.sentence());
        }
        for task in &mut tasks {
            // One that began between the two questions keeps what it has.
            if let Some(sentence) = why.remove(&task.name).filter(|_| !task.state.is_final()) {
                task.reason = Some(sentence);
            }
        }
        Ok(tasks)
    }
}

impl Held {
    fn sentence(&self) -> String {
        if let Some((state, max)) = self.backfill.as_ref().filter(|_| self.run_queued) {
            return match state.as_str() {
                "paused" => "the run is queued: its backfill is paused".into(),
                _ => format!("the run is queued: its backfill has its maximum of {max} active runs"),
            };
        }
        if self.run_queued {
            let (dag, max) = (&self.dag, self.max_active_runs);
            return format!("the run is queued: the DAG \"{dag}\" has its maximum of {max} active runs");
        }
        match self.state {
            TaskState::Waiting => self.waits_for_parent(),
            TaskState::Retrying if self.later => format!(
                "try {} begins at {}: {}",
                self.attempt + 1,
                clock(self.ready_at),
                self.reason.as_deref().unwrap_or("the last one failed")
            ),
            _ if self.deferred && self.later => format!(
                "{}; it looks again at {}",
                self.reason.as_deref().unwrap_or("what it waits for is not so yet"),
                clock(self.ready_at)
            ),
            _ => self.is_held_back(),
        }
    }

    fn waits_for_parent(&self) -> String {
        if let Some((task, max)) = &self.item_of {
            let max = max.map_or_else(|| "open items".into(), |max| format!("maximum of {max} open items"));
            return format!("\"{task}\" has its {max}; this one begins when another has ended");
        }
        match &self.parent {
            Some((name, state, Some(since))) if state == TaskState::Running.as_str() => {
                format!("waits for \"{name}\", which runs since {}", clock(Some(*since)))
            }
            Some((name, state, _)) => format!("waits for \"{name}\", which is {state}"),
            None => "what it waits for has ended; its rule is being judged".into(),
        }
    }

    /// It could begin, but for limits.
    fn is_held_back(&self) -> String {
        if let Some((state, run)) = self.past.as_ref().filter(|(state, _)| !went_well(state)) {
            return format!("depends on the past: the same task of the run before, {run}, is {state}");
        }
        if let Some(max) = self.tasks_max.filter(|max| self.dag_tasks >= i64::from(*max)) {
            return format!("the DAG \"{}\" has its maximum of {max} running tasks", self.dag);
        }
        let Pool { name, slots, taken, need, most_by, head } = &self.pool;
        let Some(slots) = slots else {
            return format!("no pool is called \"{name}\": add it to [pools] in config/scheduler.toml");
        };
        if let Some((task, dag, need)) = head {
            return format!(
                "waits behind \"{task}\" of the DAG \"{dag}\", which needs {need} slots of the pool \"{name}\": {taken} of {slots} are taken"
            );
        }
        if taken + need <= *slots {
            return "ready: a scheduler with a free place takes it".into();
        }
        let by = most_by.as_ref().map_or_else(String::new, |dag| format!(", most by the DAG \"{dag}\""));
        match taken >= slots {
            true => format!("the pool \"{name}\" is full: {taken} of {slots} slots are taken{by}"),
            false => {
                format!("it needs {need} slots of the pool \"{name}\": {taken} of {slots} are taken{by}")
            }
        }
    }
}

fn went_well(state: &str) -> bool {
    state == TaskState::Success.as_str() || state == TaskState::Skipped.as_str()
}

fn clock(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "once".into(), |at| at.format("%H:%M:%S UTC").to_string())
}

fn held(row: &PgRow) -> Result<Held, sqlx::Error> {
    let state: String = row.try_get("state")?;
    let parent: Option<String> = row.try_get("parent")?;
    let past: Option<String> = row.try_get("past_state")?;
    Ok(Held {
        state: state.parse().map_err(|cause: String| sqlx::Error::Decode(cause.into()))?,
        reason: row.try_get("reason")?,
        deferred: row.try_get("deferred")?,
        attempt: row.try_get("attempt")?,
        ready_at: row.try_get("ready_at")?,
        later: row.try_get::<Option<bool>, _>("later")?.unwrap_or_default(),
        dag: row.try_get("dag")?,
        run_queued: row.try_get("run_queued")?,
        max_active_runs: row.try_get("max_active_runs")?,
        backfill: row.try_get::<Option<String>, _>("backfill_state")?.zip(row.try_get("backfill_max")?),
        pool: Pool {
            name: row.try_get("pool")?,
            slots: row.try_get::<Option<i32>, _>("pool_slots")?.map(i64::from),
            taken: row.try_get::<Option<i64>, _>("pool_taken")?.unwrap_or_default(),
            need: row.try_get::<Option<i32>, _>("need")?.unwrap_or_default().into(),
            most_by: row.try_get("most_by")?,
            head: match row.try_get::<Option<String>, _>("head")? {
                Some(task) => {
                    Some((task, row.try_get("head_dag")?, row.try_get::<i32, _>("head_need")?.into()))
                }
                None => None,
            },
        },
        tasks_max: row.try_get("tasks_max")?,
        dag_tasks: row.try_get("dag_tasks")?,
        parent: match parent {
            Some(name) => Some((name, row.try_get("parent_state")?, row.try_get("parent_since")?)),
            None => None,
        },
        item_of: match row.try_get::<Option<String>, _>("map_of")? {
            Some(task) => Some((task, row.try_get("items_max")?)),
            None => None,
        },
        past: match past {
            Some(state) => Some((state, row.try_get("past_run")?)),
            None => None,
        },
    })
}

#[cfg(test)]
mod tests;
