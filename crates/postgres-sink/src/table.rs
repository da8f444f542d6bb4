//! Writing rows and the offset in one transaction.

use crate::{columns, ddl};
use sink::{Places, Row, Store, Target, Turn, WriteError, Written};
use sqlx::{
    Arguments, AssertSqlSafe, PgConnection, PgPool, Row as _, error::BoxDynError, postgres::PgArguments,
};
use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
};
use uuid::Uuid;
use wire::passed::Offsets;

/// All tables of one database.
pub struct Tables {
    pool: PgPool,
}

/// A table that is open.
pub struct Table {
    pool: PgPool,
    place: String,
    columns: Vec<pipeline::Column>,
    /// Where the primary key's columns stand in a row.
    key: Vec<usize>,
    upsert: String,
}

/// Rows, and the same as they are sent.
pub struct Batch {
    rows: Vec<Row>,
    places: Places,
    /// The error is that of a row. Nothing once they are sent.
    sent: Option<Result<PgArguments, BoxDynError>>,
}

const OFFSETS: &str = include_str!("offsets.sql");

impl Tables {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

impl Store for Tables {
    type Table = Table;

    async fn open(&self, target: &Target) -> Result<Table, WriteError> {
        let mut transaction = self.pool.begin().await.map_err(away)?;
        // CREATE … IF NOT EXISTS may fail when two do it at once.
        run(&mut transaction, "SELECT pg_advisory_xact_lock(hashtext('millrace sink tables'))").await?;
        run(&mut transaction, OFFSETS).await?;
        run(&mut transaction, &format!("CREATE SCHEMA IF NOT EXISTS {}", ddl::quoted(target.table.place())))
            .await?;
        run(&mut transaction, &ddl::create(target)).await?;
        let found = found_columns(&mut transaction, target).await.map_err(away)?;
        transaction.commit().await.map_err(away)?;
        match target.drift(&ddl::expected(target), &found) {
            Some(difference) => Err(WriteError::Unfit(difference)),
            None => Ok(Table::new(self.pool.clone(), target)),
        }
    }
}

impl sink::Table for Table {
    type Batch = Batch;

    async fn places(&self, topic_id: Uuid) -> Result<Option<Offsets>, WriteError> {
        let rows = sqlx::query(
            "SELECT partition, next FROM _millrace_offset WHERE table_name = $1 AND topic_id = $2",
        )
        .bind(&self.place)
        .bind(topic_id)
        .fetch_all(&self.pool)
        .await
        .map_err(away)?;
        let place = |row: &sqlx::postgres::PgRow| {
            Ok::<_, sqlx::Error>((row.try_get("partition")?, row.try_get("next")?))
        };
        Ok(Some(Offsets(rows.iter().map(place).collect::<Result<_, _>>().map_err(away)?)))
    }

    fn ready(&self, rows: Vec<Row>, places: Places) -> Batch {
        let sent = Some(self.arguments(&self.newest(&rows), &places));
        Batch { rows, places, sent }
    }

    /// Keeps its turn to the end: places must be kept in their order, and two statements that write the same keys at once may wait for
    /// each other for ever.
    async fn write(&self, batch: &mut Batch, _: &mut Turn<'_>) -> Result<Written, WriteError> {
        let sent =
            batch.sent.take().unwrap_or_else(|| self.arguments(&self.newest(&batch.rows), &batch.places));
        let written = match sent {
            Ok(arguments) => self.execute(&self.pool, arguments, batch.rows.is_empty()).await,
            Err(cause) => Err(sqlx::Error::Encode(cause)),
        };
        match written {
            Ok(()) => Ok(Written::All),
            Err(cause) if is_the_rows(&cause) => {
                let refused = self.find_refused(batch).await?;
                let mut index = 0..;
                batch.rows.retain(|_| {
                    index.next().is_none_or(|index| refused.iter().all(|(row, _)| *row != index))
                });
                Ok(Written::Refused(refused))
            }
            Err(cause) => Err(away(cause)),
        }
    }
}

impl Table {
    fn new(pool: PgPool, target: &Target) -> Self {
        Self {
            pool,
            place: ddl::place(target),
            columns: target.columns.clone(),
            key: target.primary_key().iter().filter_map(|name| target.position(name)).collect(),
            upsert: ddl::upsert(target),
        }
    }

    async fn execute<'e>(
        &self,
        executor: impl sqlx::PgExecutor<'e>,
        arguments: PgArguments,
        only_places: bool,
    ) -> Result<(), sqlx::Error> {
        let statement = if only_places { ddl::KEEP_PLACES } else { &self.upsert };
        sqlx::query_with(AssertSqlSafe(statement), arguments).execute(executor).await.map(drop)
    }

    /// After a batch that can't be written: finds out which of its rows the database can't take. Nothing is kept.
    async fn find_refused(&self, batch: &Batch) -> Result<Vec<(usize, String)>, WriteError> {
        let mut refused = vec![];
        let mut transaction = self.pool.begin().await.map_err(away)?;
        for (index, row) in batch.rows.iter().enumerate() {
            run(&mut transaction, "SAVEPOINT one").await?;
            let tried = match self.arguments(&[row], &batch.places) {
                Ok(arguments) => self.execute(&mut *transaction, arguments, false).await,
                Err(cause) => Err(sqlx::Error::Encode(cause)),
            };
            match tried {
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
            Ok(refused)
        }
    }

    /// One row per key, the newest, in the order in which the keys came: a statement cannot touch a row twice.
    fn newest<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        let mut newest: Vec<&Row> = Vec::with_capacity(rows.len());
        let mut at: HashMap<Vec<Option<Cow<str>>>, usize> = HashMap::with_capacity(rows.len());
        for row in rows {
            let key = self.key.iter().map(|index| row.values[*index].as_ref().map(sink::text)).collect();
            match at.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(newest.len());
                    newest.push(row);
                }
                Entry::Occupied(entry) if newest[*entry.get()].version < row.version => {
                    newest[*entry.get()] = row
                }
                Entry::Occupied(_) => {}
            }
        }
        newest
    }

    /// What the statement takes: the places, each column, the versions.
    fn arguments(&self, rows: &[&Row], places: &Places) -> Result<PgArguments, BoxDynError> {
        let mut arguments = PgArguments::default();
        let (partitions, next): (Vec<i32>, Vec<i64>) = places.next.0.iter().unzip();
        arguments.add(&self.place)?;
        arguments.add(places.topic_id)?;
        arguments.add(partitions)?;
        arguments.add(next)?;
        if rows.is_empty() {
            return Ok(arguments);
        }
        for (index, column) in self.columns.iter().enumerate() {
            columns::add(&mut arguments, column, index, rows)?;
        }
        arguments.add(rows.iter().map(|row| row.version).collect::<Vec<i64>>())?;
        Ok(arguments)
    }
}

async fn found_columns(
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
