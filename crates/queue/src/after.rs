//! Runs that follow the success of another DAG's run.
//!
//! The success is noted by a trigger of the table `run`, in the transaction that ends the run, whichever that is. It is taken away
//! in the transaction that makes the run that follows. So each success is followed once, whoever dies when.

use crate::{NewRun, Queue, make};
use chrono::{DateTime, Utc};
use sqlx::{FromRow, Row, postgres::PgRow};
use uuid::Uuid;

/// A success that a DAG has yet to follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Success {
    pub id: i64,
    /// Who follows, and its published version.
    pub dag: String,
    pub pipeline: String,
    pub hash: String,
    /// The run that succeeded, and what it was for.
    pub run_id: Uuid,
    pub logical_at: DateTime<Utc>,
    pub interval: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl<'r> FromRow<'r, PgRow> for Success {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let (start, end): (Option<_>, Option<_>) =
            (row.try_get("interval_start")?, row.try_get("interval_end")?);
        Ok(Self {
            id: row.try_get("id")?,
            dag: row.try_get("dag")?,
            pipeline: row.try_get("pipeline")?,
            hash: row.try_get("hash")?,
            run_id: row.try_get("run_id")?,
            logical_at: row.try_get("logical_at")?,
            interval: start.zip(end),
        })
    }
}

impl Queue {
    /// Makes known whom the DAGs of a pipeline follow: pairs of a DAG and one that it follows. What they no longer follow is
    /// forgotten.
    pub async fn publish_followers(
        &self,
        pipeline: &str,
        followers: &[(String, String)],
    ) -> Result<(), sqlx::Error> {
        let (dags, upstreams): (Vec<String>, Vec<String>) = followers.iter().cloned().unzip();
        let mut transaction = self.pool.begin().await?;
        for statement in [include_str!("sql/forget_followers.sql"), include_str!("sql/add_followers.sql")] {
            sqlx::query(statement)
                .bind(pipeline)
                .bind(&dags)
                .bind(&upstreams)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(include_str!("sql/forget_successes.sql")).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Successes that are to be followed now, the oldest first. A paused DAG follows them when it goes on.
    pub async fn successes(&self) -> Result<Vec<Success>, sqlx::Error> {
        sqlx::query_as(include_str!("sql/successes.sql")).fetch_all(&self.pool).await
    }

    /// Makes the run that follows a success. Answers whether it is new: another scheduler may have been quicker.
    pub async fn follow(&self, success: &Success, new: &NewRun) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let ours = sqlx::query("DELETE FROM dag_success WHERE id = $1")
            .bind(success.id)
            .execute(&mut *transaction)
            .await?
            .rows_affected()
            > 0;
        // A run that was cleared and succeeded again has been followed: the key says so.
        let made = ours && make::create(&mut transaction, self.guards, new).await?.1;
        transaction.commit().await?;
        Ok(made)
    }
}
