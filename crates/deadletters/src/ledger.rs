//! Which letters were replayed, in the table `dead_letter_replay`.

use crate::Letter;
use chrono::{DateTime, Utc};
use kafka::Place;
use postgres::PgPool;
use uuid::Uuid;

#[derive(Clone)]
pub(crate) struct Ledger {
    pool: PgPool,
}

/// A letter that was replayed, or is being.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    pub partition: i32,
    pub offset: i64,
    /// `sending`, `sent` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub tries: i32,
    pub edited: bool,
    pub reason: Option<String>,
    pub changed_at: DateTime<Utc>,
}

type Row = (i32, i64, String, i32, bool, Option<String>, DateTime<Utc>);

pub(crate) enum Claim {
    /// Nobody has sent it, and nobody else does now.
    Ours,
    Sent(Replay),
    Theirs,
}

impl Ledger {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Claims a letter for sending. A claim whose holder died ends after a minute, longer than any send.
    pub async fn claim(&self, topic_id: Uuid, letter: &Letter, edited: bool) -> Result<Claim, sqlx::Error> {
        let claimed = sqlx::query(include_str!("claim.sql"))
            .bind(topic_id)
            .bind(&letter.dead_topic)
            .bind(letter.partition)
            .bind(letter.offset)
            .bind(edited)
            .execute(&self.pool)
            .await?;
        if claimed.rows_affected() == 1 {
            return Ok(Claim::Ours);
        }
        let found = self.all(topic_id).await?.into_iter().find(|replay| {
            (replay.partition, replay.offset, replay.state.as_str())
                == (letter.partition, letter.offset, "sent")
        });
        Ok(found.map_or(Claim::Theirs, Claim::Sent))
    }

    pub async fn sent(&self, topic_id: Uuid, letter: &Letter, place: Place) -> Result<(), sqlx::Error> {
        let statement = "UPDATE dead_letter_replay SET state = 'sent', reason = NULL, changed_at = now(), to_partition = $4, to_offset = $5
            WHERE topic_id = $1 AND partition = $2 AND letter_offset = $3";
        sqlx::query(statement)
            .bind(topic_id)
            .bind(letter.partition)
            .bind(letter.offset)
            .bind(place.partition)
            .bind(place.offset)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    pub async fn failed(&self, topic_id: Uuid, letter: &Letter, reason: &str) -> Result<(), sqlx::Error> {
        let statement = "UPDATE dead_letter_replay SET state = 'failed', reason = $4, changed_at = now()
            WHERE topic_id = $1 AND partition = $2 AND letter_offset = $3 AND state = 'sending'";
        // PostgreSQL's text has no NUL.
        sqlx::query(statement)
            .bind(topic_id)
            .bind(letter.partition)
            .bind(letter.offset)
            .bind(reason.replace('\0', " "))
            .execute(&self.pool)
            .await
            .map(drop)
    }

    pub async fn all(&self, topic_id: Uuid) -> Result<Vec<Replay>, sqlx::Error> {
        let statement = "SELECT partition, letter_offset, state, tries, edited, reason, changed_at FROM dead_letter_replay
            WHERE topic_id = $1 ORDER BY partition, letter_offset";
        let rows: Vec<Row> = sqlx::query_as(statement).bind(topic_id).fetch_all(&self.pool).await?;
        let replay = |(partition, offset, state, tries, edited, reason, changed_at)| Replay {
            partition,
            offset,
            state,
            tries,
            edited,
            reason,
            changed_at,
        };
        Ok(rows.into_iter().map(replay).collect())
    }
}
