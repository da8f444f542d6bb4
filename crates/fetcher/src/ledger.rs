//! What is remembered in PostgreSQL: cursors, attempts, and the ids of what a run fetched.

use postgres::PgPool;
use serde_json::Value;
use sqlx::{PgConnection, Row, types::Json};
use std::{future::Future, time::Duration};
use uuid::Uuid;
use wire::fetch::{Answer, Request};

/// The tables `source_cursor`, `fetch_attempt` and `fetched_id`.
#[derive(Clone)]
pub struct Ledger(PgPool);

/// One attempt at a fetch, and the task of a run that it is for.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub id: Uuid,
    pub source: String,
    pub run: Option<(Uuid, String)>,
}

impl Attempt {
    pub fn of(request: &Request) -> Self {
        Self {
            id: request.attempt_id,
            source: request.source.clone(),
            run: request.run_id.zip(request.task.clone()),
        }
    }

    fn run_id(&self) -> Option<Uuid> {
        self.run.as_ref().map(|(run_id, _)| *run_id)
    }

    fn task(&self) -> Option<&str> {
        self.run.as_ref().map(|(_, task)| task.as_str())
    }
}

/// Where a source is. Version 0: it was never fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    pub value: Value,
    pub version: i64,
}

/// Why something could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(
        "another fetch moved the cursor of source \"{source_name}\" meanwhile: fetch again, it goes on from there"
    )]
    Moved { source_name: String },
    #[error("PostgreSQL did not {what}: {cause}. Is it running? Fetch again")]
    Database { what: &'static str, cause: sqlx::Error },
    #[error("PostgreSQL did not {what} within {STEP_MAX:?}. Is it overloaded? Fetch again")]
    Slow { what: &'static str },
}

/// Of one question or transaction.
const STEP_MAX: Duration = Duration::from_secs(30);

impl Ledger {
    pub fn new(pool: PgPool) -> Self {
        Self(pool)
    }

    /// The answer of an attempt that is done.
    pub async fn finished(&self, attempt_id: Uuid) -> Result<Option<Answer>, LedgerError> {
        let query =
            sqlx::query("SELECT answer FROM fetch_attempt WHERE attempt_id = $1 AND answer IS NOT NULL")
                .bind(attempt_id);
        within("tell of the attempt", async {
            query.fetch_optional(&self.0).await?.map(|row| answer(&row, "answer")).transpose()
        })
        .await
    }

    /// What was written before: by this attempt, if it was broken off, and by other attempts of the same task.
    pub async fn parts(&self, attempt: &Attempt) -> Result<Parts, LedgerError> {
        let query = sqlx::query(
            "SELECT attempt_id, part FROM fetch_attempt
             WHERE attempt_id = $1 OR (run_id = $2 AND task = $3 AND source = $4)",
        );
        let query = query.bind(attempt.id).bind(attempt.run_id()).bind(attempt.task()).bind(&attempt.source);
        let rows = within("tell of earlier attempts", query.fetch_all(&self.0)).await?;
        let read = || {
            let mut parts = Parts::default();
            for row in &rows {
                match row.try_get::<Uuid, _>("attempt_id")? == attempt.id {
                    true => parts.own = answer(row, "part")?,
                    false => parts.others.push(answer(row, "part")?),
                }
            }
            Ok(parts)
        };
        read().map_err(|cause| LedgerError::Database { what: "tell of earlier attempts", cause })
    }

    pub async fn cursor(&self, source: &str) -> Result<Cursor, LedgerError> {
        let query = sqlx::query("SELECT cursor, version FROM source_cursor WHERE source = $1").bind(source);
        let read = async {
            Ok(match query.fetch_optional(&self.0).await? {
                Some(row) => Cursor { value: row.try_get("cursor")?, version: row.try_get("version")? },
                None => Cursor { value: Value::Null, version: 0 },
            })
        };
        within("tell the cursor", read).await
    }

    /// Stores a page that is durable: the cursor if nobody else moved it, the ids, and what the attempt has done so far.
    /// All or nothing. Answers the cursor's new version.
    pub async fn advance(
        &self,
        attempt: &Attempt,
        from: i64,
        to: &Value,
        ids: &[String],
        part: &Answer,
    ) -> Result<i64, LedgerError> {
        let moved = within("store the cursor", async {
            let mut transaction = self.0.begin().await?;
            if !move_cursor(&mut transaction, &attempt.source, from, to).await? {
                return Ok(false);
            }
            store_ids(&mut transaction, attempt, ids).await?;
            store_attempt(&mut transaction, attempt, part, None).await?;
            transaction.commit().await?;
            Ok(true)
        });
        match moved.await? {
            true => Ok(from + 1),
            false => Err(LedgerError::Moved { source_name: attempt.source.clone() }),
        }
    }

    /// Stores the answer: asked again, the attempt does nothing more.
    pub async fn finish(&self, attempt: &Attempt, part: &Answer, answer: &Answer) -> Result<(), LedgerError> {
        let store = async {
            let mut connection = self.0.acquire().await?;
            store_attempt(&mut connection, attempt, part, Some(answer)).await
        };
        within("store the answer", store).await
    }
}

/// What attempts of one task have written.
#[derive(Debug, Default)]
pub struct Parts {
    pub own: Answer,
    pub others: Vec<Answer>,
}

async fn move_cursor(
    to: &mut PgConnection,
    source: &str,
    from: i64,
    cursor: &Value,
) -> Result<bool, sqlx::Error> {
    let statement = match from {
        0 => {
            "INSERT INTO source_cursor (source, cursor, version) VALUES ($1, $2, $3 + 1) ON CONFLICT DO NOTHING"
        }
        _ => {
            "UPDATE source_cursor SET cursor = $2, version = $3 + 1, updated_at = now() WHERE source = $1 AND version = $3"
        }
    };
    Ok(sqlx::query(statement).bind(source).bind(cursor).bind(from).execute(to).await?.rows_affected() == 1)
}

async fn store_ids(to: &mut PgConnection, attempt: &Attempt, ids: &[String]) -> Result<(), sqlx::Error> {
    let Some((run_id, task)) = &attempt.run else { return Ok(()) };
    // PostgreSQL has no text with a NUL in it. One such record must not stop all others.
    let ids: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !id.contains('\0')).collect();
    let statement =
        "INSERT INTO fetched_id (run_id, task, id) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING";
    sqlx::query(statement).bind(run_id).bind(task).bind(ids).execute(to).await.map(drop)
}

async fn store_attempt(
    to: &mut PgConnection,
    attempt: &Attempt,
    part: &Answer,
    answer: Option<&Answer>,
) -> Result<(), sqlx::Error> {
    let statement = "INSERT INTO fetch_attempt (attempt_id, source, run_id, task, part, answer) VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (attempt_id) DO UPDATE SET part = excluded.part, answer = excluded.answer";
    let query = sqlx::query(statement)
        .bind(attempt.id)
        .bind(&attempt.source)
        .bind(attempt.run_id())
        .bind(attempt.task());
    query.bind(Json(part)).bind(answer.map(Json)).execute(to).await.map(drop)
}

fn answer(row: &sqlx::postgres::PgRow, column: &str) -> Result<Answer, sqlx::Error> {
    row.try_get::<Json<Answer>, _>(column).map(|Json(answer)| answer)
}

async fn within<T>(
    what: &'static str,
    step: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, LedgerError> {
    match tokio::time::timeout(STEP_MAX, step).await {
        Ok(done) => done.map_err(|cause| LedgerError::Database { what, cause }),
        Err(_) => Err(LedgerError::Slow { what }),
    }
}
