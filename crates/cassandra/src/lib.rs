//! Cassandra: connecting, keyspaces, queries as JSON, and row values.

mod rows;

pub use rows::Answer;
pub use scylla;

use futures::future::BoxFuture;
use scylla::{
    client::{execution_profile::ExecutionProfile, session::Session, session_builder::SessionBuilder},
    statement::Consistency,
};
use std::{sync::Arc, time::Duration};

/// A connection to a cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cassandra {
    session: Arc<Session>,
}

/// Why Cassandra did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CassandraError {
    #[error("Cassandra at {hosts} did not answer: {cause}. Is it running?")]
    Unreachable { hosts: String, cause: String },
    #[error("Cassandra refused \"{statement}\": {cause}")]
    Refused { statement: String, cause: String },
}

/// The server's own write timeout is 2 s; a client must wait longer than it to hear of it.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);
const CONNECT_MAX: Duration = Duration::from_secs(5);
const TRY_AGAIN: Duration = Duration::from_millis(250);

impl Cassandra {
    /// Connects, and waits for as long as the cluster is away.
    pub async fn connect(hosts: &str) -> Self {
        let mut told = false;
        loop {
            match Self::connect_now(hosts).await {
                Ok(cassandra) => return cassandra,
                Err(cause) if !told => {
                    told = true;
                    tracing::info!("waiting: {cause}");
                }
                Err(_) => {}
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Connects once.
    pub fn connect_now(hosts: &str) -> BoxFuture<'_, Result<Self, CassandraError>> {
        Box::pin(Self::try_connect(hosts))
    }

    async fn try_connect(hosts: &str) -> Result<Self, CassandraError> {
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .request_timeout(Some(ANSWER_MAX))
            .build();
        let builder = SessionBuilder::new()
            .known_nodes(hosts.split(',').map(str::trim))
            .connection_timeout(CONNECT_MAX)
            // Columns and types of all tables, the server's own hundreds included: who writes knows its table by its statement.
            .fetch_full_schema_metadata(false)
            .default_execution_profile_handle(profile.into_handle());
        match tokio::time::timeout(CONNECT_MAX * 2, builder.build()).await {
            Ok(Ok(session)) => Ok(Self { session: Arc::new(session) }),
            Ok(Err(cause)) => {
                Err(CassandraError::Unreachable { hosts: hosts.to_owned(), cause: cause.to_string() })
            }
            Err(_) => Err(CassandraError::Unreachable {
                hosts: hosts.to_owned(),
                cause: format!("no answer within {:?}", CONNECT_MAX * 2),
            }),
        }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Makes a keyspace where it does not exist.
    pub async fn ensure_keyspace(&self, keyspace: &str, replication: u32) -> Result<(), CassandraError> {
        self.run(&format!(
            "CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {{'class': 'NetworkTopologyStrategy', 'replication_factor': {replication}}}",
            quoted(keyspace)
        ))
        .await
    }

    /// Runs a statement without an answer.
    pub async fn run(&self, statement: &str) -> Result<(), CassandraError> {
        self.query(statement).await.map(drop)
    }

    /// Runs a statement and reads all of its answer. For people and checks, not for large tables.
    pub async fn query(&self, statement: &str) -> Result<Answer, CassandraError> {
        let refused = |cause: String| CassandraError::Refused { statement: statement.to_owned(), cause };
        let result =
            self.session.query_unpaged(statement, ()).await.map_err(|cause| refused(cause.to_string()))?;
        rows::read(result).map_err(refused)
    }

    /// The columns of a table as the cluster has them, by name and CQL type; empty where there is no such table.
    pub async fn columns(
        &self,
        keyspace: &str,
        table: &str,
    ) -> Result<Vec<(String, String)>, CassandraError> {
        let statement = format!(
            "SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = '{}' AND table_name = '{}'",
            keyspace.replace('\'', "''"),
            table.replace('\'', "''")
        );
        let answer = self.query(&statement).await?;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        Ok(answer.rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect())
    }
}

/// A name as CQL takes it literally.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
