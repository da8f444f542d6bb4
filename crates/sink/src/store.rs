//! What a database must do to be a sink's end.

use crate::{Row, Target};
use std::future::Future;
use wire::passed::Offsets;

/// A table in a database. Two implementations: Cassandra and PostgreSQL.
pub trait Store: Send + Sync + 'static {
    /// Makes the table where it does not exist, and compares it with the declaration where it does.
    fn prepare(&self, target: &Target) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Where to go on, if the store itself keeps it; else the consumer group says.
    fn places(
        &self,
        target: &Target,
        topic_id: uuid::Uuid,
    ) -> impl Future<Output = Result<Option<Offsets>, WriteError>> + Send;

    /// Writes rows, and remembers the places where it keeps them. Must be idempotent by key and version. Where the database can't
    /// take some rows, the places are not kept, and the caller writes again without those rows.
    fn write(
        &self,
        target: &Target,
        rows: &[Row],
        places: &Places,
    ) -> impl Future<Output = Result<Written, WriteError>> + Send;
}

/// How far the topic is read once a batch is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Places {
    pub topic_id: uuid::Uuid,
    /// Next to read.
    pub next: Offsets,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// All rows are durable, and the places are kept.
    All,
    /// Index in the batch, and why the database can't take the row. Never empty.
    Refused(Vec<(usize, String)>),
}

/// Why a batch was not written.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum WriteError {
    /// Wait and write it again.
    #[error("{0}")]
    Away(String),
    /// Somebody must change something first.
    #[error("{0}")]
    Unfit(String),
}
