//! Which life of a topic is meant, and where its versions start.

use model::Incarnation;
use sqlx::{PgPool, Row};
use uuid::Uuid;

/// Finds the incarnation of a topic, and makes it where the topic id is new. Safe to be called by many at once.
pub async fn resolve(pool: &PgPool, topic: &str, topic_id: Uuid) -> Result<Incarnation, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // Two processes that see a new topic must agree on one start.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('incarnation ' || $1))")
        .bind(topic)
        .execute(&mut *transaction)
        .await?;
    let known = sqlx::query("SELECT start FROM topic_incarnation WHERE topic_id = $1")
        .bind(topic_id)
        .fetch_optional(&mut *transaction)
        .await?;
    let start = match known {
        Some(row) => row.try_get("start")?,
        None => {
            let now: i64 =
                sqlx::query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now")
                    .fetch_one(&mut *transaction)
                    .await?
                    .try_get("now")?;
            let previous = sqlx::query("SELECT start, last_offset FROM topic_incarnation WHERE topic = $1 ORDER BY start DESC LIMIT 1")
                .bind(topic)
                .fetch_optional(&mut *transaction)
                .await?;
            let previous = previous
                .map(|row| Ok::<_, sqlx::Error>((row.try_get("start")?, row.try_get("last_offset")?)))
                .transpose()?;
            let start = Incarnation::start_after(now, previous);
            sqlx::query("INSERT INTO topic_incarnation (topic_id, topic, start) VALUES ($1, $2, $3)")
                .bind(topic_id)
                .bind(topic)
                .bind(start)
                .execute(&mut *transaction)
                .await?;
            start
        }
    };
    transaction.commit().await?;
    Ok(Incarnation { topic: topic.to_owned(), topic_id, start })
}

/// Remembers how far a topic has been written, so that its next incarnation starts above it.
pub async fn reached(pool: &PgPool, topic_id: Uuid, offset: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE topic_incarnation SET last_offset = $2 WHERE topic_id = $1 AND last_offset < $2")
        .bind(topic_id)
        .bind(offset)
        .execute(pool)
        .await
        .map(drop)
}
