//! Values in PostgreSQL.

use super::{Key, seal::SealError};
use chrono::{DateTime, Utc};
use pipeline::named::Named;
use postgres::PgPool;
use queue::{By, Queue};
use serde_json::{Value, json};
use sqlx::Row;

/// Why a value is not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0}")]
    Wrong(String),
    #[error(
        "the scheduler has no key to keep it sealed: make one by `openssl rand -base64 32` and start the scheduler with MILLRACE_SECRETS_KEY or MILLRACE_SECRETS_KEY_FILE"
    )]
    NoKey,
    #[error("{0}")]
    Sealed(#[from] SealError),
    #[error("PostgreSQL did not answer: {0}")]
    Postgres(#[from] sqlx::Error),
}

/// What may be known of a value.
pub struct Stored {
    pub name: String,
    pub changed_at: DateTime<Utc>,
    pub changed_by: String,
}

pub async fn get(
    pool: &PgPool,
    key: Option<&Key>,
    kind: Named,
    name: &str,
) -> Result<Option<Value>, StoreError> {
    let row = sqlx::query("SELECT sealed FROM named_value WHERE kind = $1 AND name = $2")
        .bind(kind.word())
        .bind(name)
        .fetch_optional(pool)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let sealed: Vec<u8> = row.try_get("sealed")?;
    let opened = key.ok_or(StoreError::NoKey)?.open(&about(kind, name), &sealed)?;
    serde_json::from_slice(&opened).map(Some).map_err(|_| SealError::Open.into())
}

pub async fn set(
    pool: &PgPool,
    key: Option<&Key>,
    kind: Named,
    name: &str,
    value: &Value,
    by: &By,
) -> Result<(), StoreError> {
    let sealed = key.ok_or(StoreError::NoKey)?.seal(&about(kind, name), value.to_string().as_bytes())?;
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO named_value (kind, name, sealed, changed_by) VALUES ($1, $2, $3, $4) ON CONFLICT (kind, name) DO UPDATE SET sealed = excluded.sealed, changed_by = excluded.changed_by, changed_at = now()")
        .bind(kind.word())
        .bind(name)
        .bind(sealed)
        .bind(&by.who)
        .execute(&mut *transaction)
        .await?;
    Queue::record_act(&mut transaction, by, &format!("set {}", kind.word()), json!({ "name": name })).await?;
    Ok(transaction.commit().await?)
}

pub async fn list(pool: &PgPool, kind: Named) -> Result<Vec<Stored>, StoreError> {
    let rows =
        sqlx::query("SELECT name, changed_at, changed_by FROM named_value WHERE kind = $1 ORDER BY name")
            .bind(kind.word())
            .fetch_all(pool)
            .await?;
    let stored = |row: &sqlx::postgres::PgRow| {
        Ok(Stored {
            name: row.try_get("name")?,
            changed_at: row.try_get("changed_at")?,
            changed_by: row.try_get("changed_by")?,
        })
    };
    rows.iter().map(stored).collect::<Result<_, sqlx::Error>>().map_err(StoreError::from)
}

pub async fn delete(pool: &PgPool, kind: Named, name: &str, by: &By) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let gone = sqlx::query("DELETE FROM named_value WHERE kind = $1 AND name = $2")
        .bind(kind.word())
        .bind(name)
        .execute(&mut *transaction)
        .await?
        .rows_affected()
        > 0;
    if gone {
        let what = format!("delete {}", kind.word());
        Queue::record_act(&mut transaction, by, &what, json!({ "name": name })).await?;
    }
    transaction.commit().await?;
    Ok(gone)
}

/// What a sealed value is bound to.
fn about(kind: Named, name: &str) -> String {
    format!("{} {name}", kind.word())
}
