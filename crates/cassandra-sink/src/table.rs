//! Writing rows: prepared, several to a request, concurrent, with the record's version as timestamp.

use crate::{
    requests::{self, Routed},
    statements,
    value::{cql, cql_type},
};
use cassandra::{
    Cassandra, CassandraError,
    scylla::{
        errors::{DbError, ExecutionError, RequestAttemptError},
        statement::{
            batch::{Batch as Statements, BatchType},
            prepared::PreparedStatement,
        },
        value::{CqlValue, MaybeUnset},
    },
};
use futures::{StreamExt, stream};
use pipeline::Nulls;
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
    /// For requests in flight, of all batches together.
    room: Semaphore,
    writes_in_flight_max: usize,
    guards: Guards,
}

/// What is not written yet.
#[derive(Default)]
pub struct Batch {
    requests: Vec<Request>,
    /// Rows that are none, and why.
    refused: Vec<Refused>,
}

/// Rows that are written with one request, each with its index in the batch.
type Request = Vec<(usize, Values)>;
type Values = Vec<MaybeUnset<Option<CqlValue>>>;
type Refused = (usize, String);

impl Tables {
    pub fn new(cassandra: Cassandra, replication: u32, writes_in_flight_max: usize, guards: Guards) -> Self {
        Self { cassandra, replication, writes_in_flight_max, guards }
    }

    async fn statement(&self, target: &Target) -> Result<PreparedStatement, WriteError> {
        let mut text = statements::insert(target);
        if self.guards.lack(Break::ServerTimestamp) {
            text = text.replace(statements::VERSION, "");
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
        self.cassandra.run(&statements::create(target)).await.map_err(away)?;
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
        let (mut bound, mut refused) = (vec![], vec![]);
        for (index, row) in rows.into_iter().enumerate() {
            match self.bind(row) {
                Ok((routed, values)) => bound.push((routed, Some((index, values)))),
                Err(reason) => refused.push((index, reason)),
            }
        }
        let (routed, mut values): (Vec<_>, Vec<_>) = bound.into_iter().unzip();
        let request = |rows: Vec<usize>| rows.into_iter().filter_map(|row| values[row].take()).collect();
        Batch { requests: requests::group(&routed).into_iter().map(request).collect(), refused }
    }

    /// Passes the turn when its last write is begun: the next batch takes the places that become free, and which of two rows is
    /// newer their timestamps say. A batch that is written again has nothing left: all but the refused rows are there.
    async fn write(&self, batch: &mut Batch, turn: &mut Turn<'_>) -> Result<Written, WriteError> {
        let Batch { requests, mut refused } = std::mem::take(batch);
        let requests = requests.into_iter().chain(std::iter::from_fn(|| {
            turn.pass();
            None
        }));
        let mut writes = stream::iter(requests)
            .map(|request| self.write_request(request))
            .buffer_unordered(self.writes_in_flight_max);
        while let Some(outcome) = writes.next().await {
            refused.extend(outcome?);
        }
        Ok(if refused.is_empty() { Written::All } else { Written::Refused(refused) })
    }
}

impl Table {
    /// The values of a row and where it goes, or why it is none.
    fn bind(&self, row: Row) -> Result<(Routed<Replicas>, Values), String> {
        let null = match self.target.table.nulls {
            Nulls::Write => || MaybeUnset::Set(None),
            Nulls::Unset => || MaybeUnset::Unset,
        };
        let bind = |(column, value): (&pipeline::Column, Option<_>)| match value {
            Some(value) => cql(column, value).map(|value| MaybeUnset::Set(Some(value))),
            None => Ok(null()),
        };
        let mut values =
            self.target.columns.iter().zip(row.values).map(bind).collect::<Result<Values, _>>()?;
        if !self.guards.lack(Break::ServerTimestamp) {
            values.push(MaybeUnset::Set(Some(CqlValue::BigInt(row.version))));
        }
        Ok((self.route(&values)?, values))
    }

    fn route(&self, values: &Values) -> Result<Routed<Replicas>, String> {
        let token = self.statement.calculate_token(values).map_err(|cause| cause.to_string())?;
        // No table is without a partition key.
        let token = token.ok_or("its partition is not known")?;
        let (keyspace, table) = (self.target.table.place(), &self.target.table.name);
        let cluster = self.cassandra.session().get_cluster_state();
        let mut replicas: Replicas = cluster
            .get_token_endpoints(keyspace, table, token)
            .into_iter()
            .map(|(node, shard)| (node.host_id, shard))
            .collect();
        replicas.sort_unstable();
        Ok(Routed { replicas, token: token.value(), bytes: values.iter().map(bytes).sum() })
    }

    /// Answers the rows that the table cannot take; the error is the cluster's. What is wrong with one row of many is told of all of
    /// them, so they are written one by one then.
    async fn write_request(&self, request: Request) -> Result<Vec<Refused>, WriteError> {
        // It is never closed.
        let _place = self.room.acquire().await;
        let (indexes, rows): (Vec<usize>, Vec<Values>) = request.into_iter().unzip();
        match self.insert(&rows).await? {
            None => Ok(vec![]),
            Some(reason) if rows.len() == 1 => {
                Ok(indexes.into_iter().map(|index| (index, reason.clone())).collect())
            }
            Some(_) => self.insert_each(&indexes, &rows).await,
        }
    }

    async fn insert_each(&self, indexes: &[usize], rows: &[Values]) -> Result<Vec<Refused>, WriteError> {
        let mut refused = vec![];
        for (index, row) in indexes.iter().zip(rows) {
            let reason = self.insert(std::slice::from_ref(row)).await?;
            refused.extend(reason.map(|reason| (*index, reason)));
        }
        Ok(refused)
    }

    /// The error is the cluster's, the answer why the rows cannot be written.
    async fn insert(&self, rows: &[Values]) -> Result<Option<String>, WriteError> {
        let session = self.cassandra.session();
        let written = match rows {
            [row] => session.execute_unpaged(&self.statement, row).await,
            rows => session.batch(&self.statements(rows.len()), rows).await,
        };
        match written {
            Ok(_) => Ok(None),
            Err(cause) if is_the_rows(&cause) => Ok(Some(cause.to_string())),
            Err(cause) => Err(WriteError::Away(format!(
                "Cassandra did not confirm a write to {}: {cause}",
                self.target.table.name
            ))),
        }
    }

    /// Unlogged: rows are written again until all are there, so a half of them is nothing that a log must prevent.
    fn statements(&self, rows: usize) -> Statements {
        let each = vec![self.statement.clone().into(); rows];
        let mut statements = Statements::new_with_statements(BatchType::Unlogged, each);
        statements.set_is_idempotent(true);
        statements
    }
}

/// Nodes that keep a row, and which of their shards does.
type Replicas = Vec<(Uuid, u32)>;

/// What a value is counted as: Cassandra adds timestamps and times of deletion to each.
fn bytes(value: &MaybeUnset<Option<CqlValue>>) -> usize {
    const OVERHEAD: usize = 24;
    OVERHEAD
        + match value {
            MaybeUnset::Set(Some(CqlValue::Text(text))) => text.len(),
            MaybeUnset::Set(Some(CqlValue::Blob(bytes))) => bytes.len(),
            _ => size_of::<Uuid>(),
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
