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
use sink::{Places, Row, Store, Target, WriteError, Written};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};
use uuid::Uuid;
use wire::passed::Offsets;

/// All tables of one cluster.
pub struct Tables {
    cassandra: Cassandra,
    replication: u32,
    writes_in_flight_max: usize,
    prepared: RwLock<HashMap<String, Arc<PreparedStatement>>>,
    guards: Guards,
}

type Bound = MaybeUnset<Option<CqlValue>>;

impl Tables {
    pub fn new(cassandra: Cassandra, replication: u32, writes_in_flight_max: usize, guards: Guards) -> Self {
        Self { cassandra, replication, writes_in_flight_max, prepared: RwLock::default(), guards }
    }

    async fn statement(&self, target: &Target) -> Result<Arc<PreparedStatement>, WriteError> {
        let mut text = insert(target);
        if self.guards.lack(Break::ServerTimestamp) {
            text = text.replace(VERSION, "");
        }
        if let Some(known) = self.prepared.read().unwrap_or_else(PoisonError::into_inner).get(&text) {
            return Ok(known.clone());
        }
        let mut prepared =
            self.cassandra.session().prepare(text.as_str()).await.map_err(|cause| {
                WriteError::Away(format!("Cassandra did not prepare \"{text}\": {cause}"))
            })?;
        // A repeated write has the same timestamp and values, so the driver may retry it.
        prepared.set_is_idempotent(true);
        let prepared = Arc::new(prepared);
        self.prepared.write().unwrap_or_else(PoisonError::into_inner).insert(text, prepared.clone());
        Ok(prepared)
    }
}

impl Store for Tables {
    async fn prepare(&self, target: &Target) -> Result<(), WriteError> {
        let away = |cause: CassandraError| WriteError::Away(cause.to_string());
        self.cassandra.ensure_keyspace(target.table.place(), self.replication).await.map_err(away)?;
        self.cassandra.run(&create(target)).await.map_err(away)?;
        let expected: Vec<_> =
            target.columns.iter().map(|column| (column.name.clone(), cql_type(column).to_owned())).collect();
        let found = self.cassandra.columns(target.table.place(), &target.table.name).await.map_err(away)?;
        target.drift(&expected, &found).map_or(Ok(()), |difference| Err(WriteError::Unfit(difference)))
    }

    /// Cassandra cannot keep rows and an offset as one; the consumer group keeps it, and rows are idempotent.
    async fn places(&self, _: &Target, _: Uuid) -> Result<Option<Offsets>, WriteError> {
        Ok(None)
    }

    async fn write(&self, target: &Target, rows: &[Row], _: &Places) -> Result<Written, WriteError> {
        let statement = self.statement(target).await?;
        let mut refused = vec![];
        let mut writes = stream::iter(0..rows.len())
            .map(|index| self.write_indexed(target, &statement, rows, index))
            .buffer_unordered(self.writes_in_flight_max);
        while let Some((index, outcome)) = writes.next().await {
            if let Err(reason) = outcome? {
                refused.push((index, reason));
            }
        }
        Ok(if refused.is_empty() { Written::All } else { Written::Refused(refused) })
    }
}

impl Tables {
    async fn write_indexed(
        &self,
        target: &Target,
        statement: &PreparedStatement,
        rows: &[Row],
        index: usize,
    ) -> (usize, Result<Result<(), String>, WriteError>) {
        (index, self.write_row(target, statement, &rows[index]).await)
    }

    /// The outer error is the cluster's, the inner one the row's.
    async fn write_row(
        &self,
        target: &Target,
        statement: &PreparedStatement,
        row: &Row,
    ) -> Result<Result<(), String>, WriteError> {
        let values = match bind(target, row) {
            Ok(mut values) => {
                if self.guards.lack(Break::ServerTimestamp) {
                    values.pop();
                }
                values
            }
            Err(reason) => return Ok(Err(reason)),
        };
        match self.cassandra.session().execute_unpaged(statement, values).await {
            Ok(_) => Ok(Ok(())),
            Err(cause) if is_the_rows(&cause) => Ok(Err(cause.to_string())),
            Err(cause) => Err(WriteError::Away(format!(
                "Cassandra did not confirm a write to {}: {cause}",
                target.table.name
            ))),
        }
    }
}

fn bind(target: &Target, row: &Row) -> Result<Vec<Bound>, String> {
    let null = match target.table.nulls {
        Nulls::Write => || MaybeUnset::Set(None),
        Nulls::Unset => || MaybeUnset::Unset,
    };
    let bind = |(column, value): (&pipeline::Column, &Option<_>)| match value {
        Some(value) => cql(column, value).map(|value| MaybeUnset::Set(Some(value))),
        None => Ok(null()),
    };
    let mut values = target.columns.iter().zip(&row.values).map(bind).collect::<Result<Vec<Bound>, _>>()?;
    values.push(MaybeUnset::Set(Some(CqlValue::BigInt(row.version))));
    Ok(values)
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
