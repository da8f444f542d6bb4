//! Tables: a stream's rows in Cassandra or PostgreSQL.

use crate::duration;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A table as `[tables.NAME]` declares it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(skip)]
    pub name: String,
    pub store: Store,
    pub stream: String,
    /// Cassandra's keyspace, or PostgreSQL's schema; `millrace` or `public` where absent.
    pub keyspace: Option<String>,
    /// The primary key in PostgreSQL, the partition key in Cassandra; the stream's key where absent.
    pub partition_key: Option<Vec<String>>,
    /// Cassandra only: the order inside a partition.
    #[serde(default)]
    pub clustering: Vec<Clustering>,
    /// The stream's fields that become columns; all of them where absent.
    pub columns: Option<Vec<String>>,
    #[serde(default)]
    pub nulls: Nulls,
    /// Cassandra only: rows vanish after so long; never where zero.
    #[serde(default = "duration::zero", deserialize_with = "model::span::parse")]
    pub ttl: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    Cassandra,
    Postgres,
}

impl Store {
    /// The store's name as people write it.
    pub fn title(self) -> &'static str {
        match self {
            Store::Cassandra => "Cassandra",
            Store::Postgres => "PostgreSQL",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clustering {
    pub column: String,
    #[serde(default)]
    pub order: Direction,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    #[default]
    Asc,
    Desc,
}

/// What a null becomes in Cassandra.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// A null, which deletes an older value.
    #[default]
    Write,
    /// Nothing: an older value stays. Only where a key is written once.
    Unset,
}

impl Table {
    /// Where the table is: the keyspace or schema.
    pub fn place(&self) -> &str {
        match (&self.keyspace, self.store) {
            (Some(name), _) => name,
            (None, Store::Cassandra) => "millrace",
            (None, Store::Postgres) => "public",
        }
    }

    /// The consumer group that keeps how far the table's sink is.
    pub fn group(&self) -> String {
        format!("sink.{}", self.name)
    }

    /// The columns that tell rows apart: partition key, then clustering.
    pub fn primary_key(&self, stream_key: &[String]) -> Vec<String> {
        let partition = self.partition_key.clone().unwrap_or_else(|| stream_key.to_vec());
        partition.into_iter().chain(self.clustering.iter().map(|by| by.column.clone())).collect()
    }
}
