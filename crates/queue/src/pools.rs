//! Pools, and what should have ended by now.

use crate::Queue;
use sqlx::Row;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Told once: a run or a task has not ended by its deadline.
#[derive(Clone, Debug, PartialEq)]
pub struct Late {
    pub run_id: Uuid,
    pub task: Option<String>,
    pub text: String,
}

impl Queue {
    /// Makes pools known, with their slots. One that is no longer named goes; the default pool stays.
    pub async fn set_pools(&self, pools: &BTreeMap<String, u32>) -> Result<(), sqlx::Error> {
        let names: Vec<&String> = pools.keys().collect();
        let slots: Vec<i32> = pools.values().map(|slots| i32::try_from(*slots).unwrap_or(i32::MAX)).collect();
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM pool WHERE name <> ALL ($1) AND name NOT IN ('default', '-')")
            .bind(&names)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO pool (name, slots) SELECT * FROM unnest($1::text[], $2::int[]) ON CONFLICT (name) DO UPDATE SET slots = excluded.slots")
            .bind(&names)
            .bind(slots)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Writes a notice for each open run and task whose deadline has passed, and answers them. Each is told once, whoever asks.
    pub async fn tell_late(&self) -> Result<Vec<Late>, sqlx::Error> {
        let mut told = vec![];
        for statement in [include_str!("sql/tell_late_runs.sql"), include_str!("sql/tell_late_tasks.sql")] {
            for row in sqlx::query(statement).fetch_all(&self.pool).await? {
                told.push(Late {
                    run_id: row.try_get("run_id")?,
                    task: row.try_get("task")?,
                    text: row.try_get("text")?,
                });
            }
        }
        Ok(told)
    }

    /// What was told of a run, oldest first: when, and what.
    pub async fn notices(&self, run_id: Uuid) -> Result<Vec<crate::Notice>, sqlx::Error> {
        sqlx::query_as("SELECT at, kind, task, text FROM notice WHERE run_id = $1 ORDER BY id")
            .bind(run_id)
            .fetch_all(&self.pool)
            .await
    }
}
