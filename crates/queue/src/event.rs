//! Records of a topic that start runs: which of them have been in one.
//!
//! A DAG's place in its topic moves in the transaction that makes the run, and only from where it was seen. So each record is in
//! exactly one run, however many schedulers look and whoever dies when.

use crate::{NewRun, Queue, make};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, Row, postgres::PgRow, types::Json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Per partition, an offset.
pub type Offsets = BTreeMap<i32, i64>;

/// How far the runs of a DAG have come in its topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub dag: String,
    /// Its published version.
    pub pipeline: String,
    pub hash: String,
    pub topic: String,
    /// Whether it is settled where the first run begins.
    pub looked: bool,
    /// None where the topic was not there yet.
    pub topic_id: Option<Uuid>,
    /// The offsets that are next to be in a run.
    pub offsets: Offsets,
    /// When records were first seen that are too few for a run.
    pub since: Option<DateTime<Utc>>,
    pub version: i64,
    pub paused: bool,
    /// A run of records waits for its turn: what comes meanwhile gathers for the next one.
    pub queued: bool,
    /// The database's time.
    pub now: DateTime<Utc>,
}

impl Queue {
    /// Makes known which DAGs of a pipeline are started by records: pairs of a DAG and a topic.
    pub async fn publish_events(
        &self,
        pipeline: &str,
        events: &[(String, String)],
    ) -> Result<(), sqlx::Error> {
        let (dags, topics): (Vec<String>, Vec<String>) = events.iter().cloned().unzip();
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM dag_place WHERE pipeline = $1 AND dag <> ALL ($2)")
            .bind(pipeline)
            .bind(&dags)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(include_str!("sql/publish_events.sql"))
            .bind(pipeline)
            .bind(&dags)
            .bind(&topics)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// The places of all DAGs that are started by records.
    pub async fn places(&self) -> Result<Vec<Place>, sqlx::Error> {
        sqlx::query_as(include_str!("sql/places.sql")).fetch_all(&self.pool).await
    }

    /// Moves a place without a run. Answers whether it was still where it was seen.
    pub async fn set_place(&self, seen: &Place, place: &Place) -> Result<bool, sqlx::Error> {
        let statement = "UPDATE dag_place SET looked = $3, topic_id = $4, places = $5, since = $6, version = version + 1 WHERE dag = $1 AND version = $2";
        let moved = sqlx::query(statement)
            .bind(&seen.dag)
            .bind(seen.version)
            .bind(place.looked)
            .bind(place.topic_id)
            .bind(Json(&place.offsets))
            .bind(place.since)
            .execute(&self.pool)
            .await?;
        Ok(moved.rows_affected() > 0)
    }

    /// Makes the run of the records up to `to`, and moves the place there, as one. Answers the run; none where the place has
    /// moved since it was seen, or the DAG was paused.
    pub async fn take(&self, seen: &Place, to: &Offsets, new: &NewRun) -> Result<Option<Uuid>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let ours = sqlx::query(include_str!("sql/take.sql"))
            .bind(&seen.dag)
            .bind(seen.version)
            .bind(Json(to))
            .execute(&mut *transaction)
            .await?
            .rows_affected()
            > 0;
        let made = if ours { Some(make::create(&mut transaction, self.guards, new).await?.0) } else { None };
        transaction.commit().await?;
        Ok(made)
    }

    /// The records that a run is for.
    pub async fn event(&self, run_id: Uuid) -> Result<Option<Value>, sqlx::Error> {
        sqlx::query("SELECT event FROM run WHERE id = $1")
            .bind(run_id)
            .fetch_one(&self.pool)
            .await?
            .try_get("event")
    }
}

impl<'r> FromRow<'r, PgRow> for Place {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            dag: row.try_get("dag")?,
            pipeline: row.try_get("pipeline")?,
            hash: row.try_get("hash")?,
            topic: row.try_get("topic")?,
            looked: row.try_get("looked")?,
            topic_id: row.try_get("topic_id")?,
            offsets: row.try_get::<Json<Offsets>, _>("places")?.0,
            since: row.try_get("since")?,
            version: row.try_get("version")?,
            paused: row.try_get("paused")?,
            queued: row.try_get("queued")?,
            now: row.try_get("now")?,
        })
    }
}
