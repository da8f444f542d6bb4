//! Writing rows: prepared, concurrent, with the record's version as timestamp.

use crate::value::{cql, cql_type};
use cassandra::{
    Cassandra, CassandraError, quoted,
    scylla::{
        errors::{DbError, ExecutionError, RequestAttemptError},
        statement::prepared::PreparedStatement,
        value::{CqlValue, MaybeUnset},
    },
};
use futures::{StreamExt, stream};
use pipeline::{Direction, Nulls};
use service::{Break, Guards};
use sink::{Places, Row, Store, Target, Turn, WriteError, Written};
use tokio::sync::Semaphore;
use uuid::Uuid;
use wire::passed::Offsets;

/// All tables of one cluster.
pub struct Tables {
    cassandra: Cassandra,
    replication: u32,
    writes_in_flight_max: usize,
    guards: Guards,
}

/// A table that is open.
pub struct Table {
    cassandra: Cassandra,
    target: Target,
    statement: PreparedStatement,
    /// For writes in flight, of all batches together.
    room: Semaphore,
    writes_in_flight_max: usize,
    guards: Guards,
}

type Batch = Vec<Values>;
/// The values of a row, or why it is none.
type Values = Result<Vec<Bound>, String>;
type Bound = MaybeUnset<Option<CqlValue>>;

impl Tables {
    pub fn new(cassandra: Cassandra, replication: u32, writes_in_flight_max: usize, guards: Guards) -> Self {
        Self { cassandra, replication, writes_in_flight_max, guards }
    }

    async fn statement(&self, target: &Target) -> Result<PreparedStatement, WriteError> {
        let mut text = insert(target);
        if self.guards.lack(Break::ServerTimestamp) {
            text = text.replace(VERSION, "");
        }
        let mut prepared =
            self.cassandra.session().prepare(text.as_str()).await.map_err(|cause| {
                WriteError::Away(format!("Cassandra did not prepare \"{text}\": {cause}"))
            })?;
        // A repeated write has the same timestamp and values, so the driver may retry it.
        prepared.set_is_idempotent(true);
        Ok(prepared)
    }
}

impl Store for Tables {
    type Table = Table;

    async fn open(&self, target: &Target) -> Result<Table, WriteError> {
        let away = |cause: CassandraError| WriteError::Away(cause.to_string());
        self.cassandra.ensure_keyspace(target.table.place(), self.replication).await.map_err(away)?;
        self.cassandra.run(&create(target)).await.map_err(away)?;
        let expected: Vec<_> =
            target.columns.iter().map(|column| (column.name.clone(), cql_type(column).to_owned())).collect();
        let found = self.cassandra.columns(target.table.place(), &target.table.name).await.map_err(away)?;
        if let Some(difference) = target.drift(&expected, &found) {
            return Err(WriteError::Unfit(difference));
        }
        Ok(Table {
            cassandra: self.cassandra.clone(),
            target: target.clone(),
            statement: self.statement(target).await?,
            room: Semaphore::new(self.writes_in_flight_max),
            writes_in_flight_max: self.writes_in_flight_max,
            guards: self.guards,
        })
    }
}

impl sink::Table for Table {
    type Batch = Batch;

    /// Cassandra cannot keep rows and an offset as one; the consumer group keeps it, and rows are idempotent.
    async fn places(&self, _: Uuid) -> Result<Option<Offsets>, WriteError> {
        Ok(None)
    }

    fn ready(&self, rows: Vec<Row>, _: Places) -> Batch {
        rows.into_iter().map(|row| self.bind(row)).collect()
    }

    /// Passes the turn when its last write is begun: the next batch takes the places that become free, and which of two rows is
    /// newer their timestamps say. A batch that is written again has nothing left: all but the refused rows are there.
    async fn write(&self, batch: &mut Batch, turn: &mut Turn<'_>) -> Result<Written, WriteError> {
        let mut refused = vec![];
        let rows = batch.drain(..).enumerate().chain(std::iter::from_fn(|| {
            turn.pass();
            None
        }));
        let mut writes = stream::iter(rows)
            .map(|(index, values)| self.write_row(index, values))
            .buffer_unordered(self.writes_in_flight_max);
        while let Some((index, outcome)) = writes.next().await {
            if let Err(reason) = outcome? {
                refused.push((index, reason));
            }
        }
        Ok(if refused.is_empty() { Written::All } else { Written::Refused(refused) })
    }
}

impl Table {
    fn bind(&self, row: Row) -> Values {
        let null = match self.target.table.nulls {
            Nulls::Write => || MaybeUnset::Set(None),
            Nulls::Unset => || MaybeUnset::Unset,
        };
        let bind = |(column, value): (&pipeline::Column, Option<_>)| match value {
            Some(value) => cql(column, value).map(|value| MaybeUnset::Set(Some(value))),
            None => Ok(null()),
        };
        let mut values =
            self.target.columns.iter().zip(row.values).map(bind).collect::<Result<Vec<Bound>, _>>()?;
        if !self.guards.lack(Break::ServerTimestamp) {
            values.push(MaybeUnset::Set(Some(CqlValue::BigInt(row.version))));
        }
        Ok(values)
    }

    async fn write_row(
        &self,
        index: usize,
        values: Values,
    ) -> (usize, Result<Result<(), String>, WriteError>) {
        // It is never closed.
        let _place = self.room.acquire().await;
        match values {
            Ok(values) => (index, self.insert(values).await),
            Err(reason) => (index, Ok(Err(reason))),
        }
    }

    /// The outer error is the cluster's, the inner one the row's.
    async fn insert(&self, values: Vec<Bound>) -> Result<Result<(), String>, WriteError> {
        match self.cassandra.session().execute_unpaged(&self.statement, values).await {
            Ok(_) => Ok(Ok(())),
            Err(cause) if is_the_rows(&cause) => Ok(Err(cause.to_string())),
            Err(cause) => Err(WriteError::Away(format!(
                "Cassandra did not confirm a write to {}: {cause}",
                self.target.table.name
            ))),
        }
    }
}

/// Whether writing the row again can't help: the server says that the row itself is wrong.
fn is_the_rows(cause: &ExecutionError) -> bool {
    match cause {
        ExecutionError::BadQuery(_) => true,
        ExecutionError::LastAttemptError(RequestAttemptError::SerializationError(_)) => true,
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(cause, _)) => {
            matches!(cause, DbError::Invalid | DbError::SyntaxError)
        }
        _ => false,
    }
}

fn create(target: &Target) -> String {
    let columns: Vec<String> = target
        .columns
        .iter()
        .map(|column| format!("{} {}", quoted(&column.name), cql_type(column)))
        .collect();
    let names = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let all = target.primary_key();
    let (partition, clustering) = all.split_at(all.len() - target.table.clustering.len());
    let key = if clustering.is_empty() {
        format!("({})", names(partition))
    } else {
        format!("({}), {}", names(partition), names(clustering))
    };
    let direction = |by: &pipeline::Clustering| {
        let word = match by.order {
            Direction::Asc => "ASC",
            Direction::Desc => "DESC",
        };
        format!("{} {word}", quoted(&by.column))
    };
    let order: Vec<String> = target.table.clustering.iter().map(direction).collect();
    let order = if order.is_empty() {
        String::new()
    } else {
        format!(" WITH CLUSTERING ORDER BY ({})", order.join(", "))
    };
    format!(
        "CREATE TABLE IF NOT EXISTS {}.{} ({}, PRIMARY KEY ({key})){order}",
        quoted(target.table.place()),
        quoted(&target.table.name),
        columns.join(", ")
    )
}

/// The record's place decides which row is newer, not the clock of a server.
const VERSION: &str = " USING TIMESTAMP ?";

fn insert(target: &Target) -> String {
    let names: Vec<String> = target.columns.iter().map(|column| quoted(&column.name)).collect();
    let marks = vec!["?"; names.len()].join(", ");
    let ttl = target.table.ttl.as_secs();
    let ttl = if ttl == 0 { String::new() } else { format!(" AND TTL {ttl}") };
    format!(
        "INSERT INTO {}.{} ({}) VALUES ({marks}){VERSION}{ttl}",
        quoted(target.table.place()),
        quoted(&target.table.name),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests;
