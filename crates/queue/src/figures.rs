//! Figures of all that waits and runs, for whoever scrapes them. Nothing is counted until it is asked for.

use crate::Queue;
use chrono::{DateTime, Utc};

/// How it stands at this moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Tasks of open runs: DAG, state, how many.
    pub tasks: Vec<(String, String, i64)>,
    pub pools: Vec<PoolFigures>,
    /// Since when, in seconds, the oldest task waits that could begin; 0 where none does.
    pub oldest_queued: f64,
}

/// One pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolFigures {
    pub name: String,
    pub slots: i64,
    pub used: i64,
    /// Tasks that could begin, but for room in the pool.
    pub starving: i64,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedRun {
    pub dag: String,
    pub state: String,
    /// From its start, or its making where it never began.
    pub seconds: f64,
    pub ended_at: DateTime<Utc>,
}

/// Of runs that have ended, one answer holds so many.
const ENDED_MAX: i64 = 10_000;

impl Queue {
    pub async fn figures(&self) -> Result<Figures, sqlx::Error> {
        let tasks = sqlx::query_as(include_str!("sql/count_tasks.sql")).fetch_all(&self.pool).await?;
        let pools: Vec<(String, i64, i64, i64)> =
            sqlx::query_as(include_str!("sql/count_pools.sql")).fetch_all(&self.pool).await?;
        let pool = |(name, slots, used, starving)| PoolFigures { name, slots, used, starving };
        let pools = pools.into_iter().map(pool).collect();
        let statement = "SELECT coalesce(extract(epoch FROM now() - min(ready_at)), 0)::float8 FROM task \
             WHERE state IN ('ready', 'retrying') AND ready_at <= now()";
        let oldest_queued: f64 = sqlx::query_scalar(statement).fetch_one(&self.pool).await?;
        Ok(Figures { tasks, pools, oldest_queued })
    }

    /// Runs that ended after this instant, the first that ended first.
    pub async fn ended_after(&self, after: DateTime<Utc>) -> Result<Vec<EndedRun>, sqlx::Error> {
        let statement = sqlx::query_as(include_str!("sql/ended_after.sql"));
        let ended: Vec<(String, String, f64, DateTime<Utc>)> =
            statement.bind(after).bind(ENDED_MAX).fetch_all(&self.pool).await?;
        let run = |(dag, state, seconds, ended_at)| EndedRun { dag, state, seconds, ended_at };
        Ok(ended.into_iter().map(run).collect())
    }

    /// The database's clock.
    pub async fn now(&self) -> Result<DateTime<Utc>, sqlx::Error> {
        sqlx::query_scalar("SELECT now()").fetch_one(&self.pool).await
    }
}
