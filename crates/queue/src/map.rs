//! Tasks that are done once for each item of a list.
//!
//! Such a task is claimed, and its holder makes a row for each item ([`Queue::expand`]). These are tasks as others are, and
//! parents of the first: it waits for all of them, is claimed again, and ends as they did ([`Queue::items`]).

use crate::{Claim, Finished, Queue, finish::RESULT_BYTES_MAX, judge, read, run::lock, tell};
use model::TaskState;
use serde_json::Value;
use sqlx::{PgConnection, Row, postgres::PgRow};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The items of a task, and what each of them is made with.
#[derive(Clone, Debug, PartialEq)]
pub struct Expansion {
    pub items: Vec<Value>,
    pub kind: &'static str,
    pub pool: String,
    pub slots: u32,
    /// So many are open at once; all where absent.
    pub items_max: Option<u32>,
}

impl Expansion {
    pub fn of(task: &pipeline::Task, items: Vec<Value>) -> Self {
        let (pool, slots) = crate::run::place(task);
        Self { items, kind: task.kind.word(), pool, slots, items_max: task.max_active_items }
    }
}

/// All items of a task, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Items {
    pub all: Vec<Item>,
    /// Of all results together. Beyond [`RESULT_BYTES_MAX`] none of them is there.
    pub result_bytes: i64,
}

/// An item as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub name: String,
    pub state: TaskState,
    pub result: Option<Value>,
    pub reason: Option<String>,
}

impl Queue {
    /// Makes the items of a claim's task, as one. The claim is over then: the task waits for its items.
    pub async fn expand(&self, claim: &Claim, expansion: &Expansion) -> Result<Finished, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction, claim.run_id).await?;
        let made = sqlx::query(include_str!("sql/expand.sql"))
            .bind(claim.run_id)
            .bind(&claim.task)
            .bind(claim.attempt_id)
            .bind(Value::Array(expansion.items.clone()))
            .bind(expansion.kind)
            .bind(&expansion.pool)
            .bind(expansion.slots as i32)
            .bind(expansion.items_max.map(|max| max as i32))
            .execute(&mut *transaction)
            .await?;
        if made.rows_affected() == 0 {
            return Ok(Finished::Refused);
        }
        // Parents may have ended while it was claimed: they are counted from the truth.
        judge::settle(&mut transaction, claim.run_id).await?;
        tell::run(&mut transaction, claim.run_id).await?;
        transaction.commit().await?;
        Ok(Finished::Taken)
    }

    /// The items of a task; nothing where it has made none.
    pub async fn items(&self, run_id: Uuid, task: &str) -> Result<Option<Items>, sqlx::Error> {
        let rows = sqlx::query(include_str!("sql/items.sql"))
            .bind(run_id)
            .bind(task)
            .bind(RESULT_BYTES_MAX as i64)
            .fetch_all(&self.pool)
            .await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let result_bytes = first.try_get("result_bytes")?;
        Ok(Some(Items { all: rows.iter().map(item).collect::<Result<_, _>>()?, result_bytes }))
    }

    /// What an item's row is made for.
    pub async fn item(&self, run_id: Uuid, name: &str) -> Result<Value, sqlx::Error> {
        let row =
            sqlx::query("SELECT item FROM task WHERE run_id = $1 AND name = $2").bind(run_id).bind(name);
        Ok(row.fetch_one(&self.pool).await?.try_get::<Option<Value>, _>("item")?.unwrap_or_default())
    }
}

fn item(row: &PgRow) -> Result<Item, sqlx::Error> {
    Ok(Item {
        name: row.try_get("name")?,
        state: read::parsed(row, "state")?,
        result: row.try_get("result")?,
        reason: row.try_get("reason")?,
    })
}

/// Lets the next items begin where some have ended.
pub(crate) async fn release_after(
    connection: &mut PgConnection,
    ended: impl IntoIterator<Item = (Uuid, &str)>,
) -> Result<(), sqlx::Error> {
    let item_of = ended.into_iter().filter_map(|(run_id, name)| Some((run_id, pipeline::item_of(name)?.0)));
    let tasks: BTreeSet<(Uuid, &str)> = item_of.collect();
    for (run_id, task) in tasks {
        release(connection, run_id, task).await?;
    }
    Ok(())
}

/// Lets items begin, of every task of the run, as far as there is room.
pub(crate) async fn release_all(connection: &mut PgConnection, run_id: Uuid) -> Result<(), sqlx::Error> {
    let waiting: Vec<(String,)> = sqlx::query_as(
        "SELECT DISTINCT map_of FROM task WHERE run_id = $1 AND map_of IS NOT NULL AND state = 'waiting'",
    )
    .bind(run_id)
    .fetch_all(&mut *connection)
    .await?;
    for (task,) in &waiting {
        release(connection, run_id, task).await?;
    }
    Ok(())
}

async fn release(connection: &mut PgConnection, run_id: Uuid, task: &str) -> Result<(), sqlx::Error> {
    sqlx::query(include_str!("sql/release_items.sql"))
        .bind(run_id)
        .bind(task)
        .execute(connection)
        .await
        .map(drop)
}
