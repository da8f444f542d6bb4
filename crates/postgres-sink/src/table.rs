//! Writing rows and the offset in one transaction.

use crate::ddl;
use sink::{Places, Row, Store, Target, WriteError, Written};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row as _};
use std::{borrow::Cow, collections::HashMap};
use uuid::Uuid;
use wire::passed::Offsets;

/// All tables of one database.
pub struct Tables {
    pool: PgPool,
}

const OFFSETS: &str = include_str!("offsets.sql");

impl Tables {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

impl Store for Tables {
    async fn prepare(&self, target: &Target) -> Result<(), WriteError> {
        let mut transaction = self.pool.begin().await.map_err(away)?;
        // CREATE … IF NOT EXISTS may fail when two do it at once.
        run(&mut transaction, "SELECT pg_advisory_xact_lock(hashtext('millrace sink tables'))").await?;
        run(&mut transaction, OFFSETS).await?;
        run(&mut transaction, &format!("CREATE SCHEMA IF NOT EXISTS {}", ddl::quoted(target.table.place())))
            .await?;
        run(&mut transaction, &ddl::create(target)).await?;
        let found = columns(&mut transaction, target).await.map_err(away)?;
        transaction.commit().await.map_err(away)?;
        target
            .drift(&ddl::expected(target), &found)
            .map_or(Ok(()), |difference| Err(WriteError::Unfit(difference)))
    }

    async fn places(&self, target: &Target, topic_id: Uuid) -> Result<Option<Offsets>, WriteError> {
        let rows = sqlx::query(
            "SELECT partition, next FROM _millrace_offset WHERE table_name = $1 AND topic_id = $2",
        )
        .bind(ddl::place(target))
        .bind(topic_id)
        .fetch_all(&self.pool)
        .await
        .map_err(away)?;
        let place = |row: &sqlx::postgres::PgRow| {
            Ok::<_, sqlx::Error>((row.try_get("partition")?, row.try_get("next")?))
        };
        Ok(Some(Offsets(rows.iter().map(place).collect::<Result<_, _>>().map_err(away)?)))
    }

    async fn write(&self, target: &Target, rows: &[Row], places: &Places) -> Result<Written, WriteError> {
        match self.write_all(target, &newest(target, rows), places).await {
            Ok(()) => Ok(Written::All),
            Err(cause) if is_the_rows(&cause) => self.find_refused(target, rows).await,
            Err(cause) => Err(away(cause)),
        }
    }
}

impl Tables {
    async fn write_all(&self, target: &Target, rows: &[&Row], places: &Places) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        if !rows.is_empty() {
            upsert(&mut transaction, target, rows).await?;
        }
        keep_places(&mut transaction, target, places).await?;
        transaction.commit().await
    }

    /// After a batch that the database refused: finds out which of its rows it can't take. Nothing is kept.
    async fn find_refused(&self, target: &Target, rows: &[Row]) -> Result<Written, WriteError> {
        let mut refused = vec![];
        let mut transaction = self.pool.begin().await.map_err(away)?;
        for (index, row) in rows.iter().enumerate() {
            run(&mut transaction, "SAVEPOINT one").await?;
            match upsert(&mut transaction, target, &[row]).await {
                Ok(()) => run(&mut transaction, "RELEASE SAVEPOINT one").await?,
                Err(cause) if is_the_rows(&cause) => {
                    run(&mut transaction, "ROLLBACK TO SAVEPOINT one").await?;
                    refused.push((index, format!("PostgreSQL can't take the row: {cause}")));
                }
                Err(cause) => return Err(away(cause)),
            }
        }
        transaction.rollback().await.map_err(away)?;
        // Refused as a whole and in no part: nothing to take out, so the batch is tried as it is.
        if refused.is_empty() {
            Err(WriteError::Away("PostgreSQL refused a batch and none of its rows".into()))
        } else {
            Ok(Written::Refused(refused))
        }
    }
}

/// One row per key, the newest: a statement cannot touch a row twice.
fn newest<'a>(target: &Target, rows: &'a [Row]) -> Vec<&'a Row> {
    let key: Vec<usize> = target.primary_key().iter().filter_map(|name| target.position(name)).collect();
    let mut by_key: HashMap<Vec<Option<Cow<str>>>, &Row> = HashMap::with_capacity(rows.len());
    for row in rows {
        let key = key.iter().map(|index| row.values[*index].as_ref().map(sink::text)).collect();
        let newest = by_key.entry(key).or_insert(row);
        if newest.version < row.version {
            *newest = row;
        }
    }
    let mut rows: Vec<&Row> = by_key.into_values().collect();
    // As they came: neighbours of a page of an index are often neighbours in time.
    rows.sort_unstable_by_key(|row| row.version);
    rows
}

async fn upsert(connection: &mut PgConnection, target: &Target, rows: &[&Row]) -> Result<(), sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(ddl::upsert(target)));
    for index in 0..target.columns.len() {
        query = query.bind(
            rows.iter()
                .map(|row| row.values[index].as_ref().map(sink::text))
                .collect::<Vec<Option<Cow<str>>>>(),
        );
    }
    let versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
    query.bind(versions).execute(connection).await.map(drop)
}

async fn keep_places(
    connection: &mut PgConnection,
    target: &Target,
    places: &Places,
) -> Result<(), sqlx::Error> {
    let (partitions, next): (Vec<i32>, Vec<i64>) = places.next.0.iter().unzip();
    sqlx::query(include_str!("keep_places.sql"))
        .bind(ddl::place(target))
        .bind(places.topic_id)
        .bind(partitions)
        .bind(next)
        .execute(connection)
        .await
        .map(drop)
}

async fn columns(
    connection: &mut PgConnection,
    target: &Target,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as("SELECT column_name::text, udt_name::text FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2")
        .bind(target.table.place())
        .bind(&target.table.name)
        .fetch_all(connection)
        .await
}

async fn run(connection: &mut PgConnection, statement: &str) -> Result<(), WriteError> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await.map(drop).map_err(away)
}

fn away(cause: sqlx::Error) -> WriteError {
    WriteError::Away(format!("PostgreSQL did not do it: {cause}"))
}

/// Whether the values are at fault: data exceptions, constraint violations, limits (a key that is too large for an index), or a
/// value that can't be sent.
fn is_the_rows(cause: &sqlx::Error) -> bool {
    const CLASSES: [&str; 3] = ["22", "23", "54"];
    match cause {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| CLASSES.iter().any(|class| code.starts_with(class)))
        }
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
