//! What a database must do to be a sink's end.

use crate::{Row, Target};
use std::future::Future;
use tokio::sync::{Mutex, MutexGuard};
use wire::passed::Offsets;

/// A database with tables. Two implementations: Cassandra and PostgreSQL.
pub trait Store: Send + Sync + 'static {
    type Table: Table;

    /// Makes the table where it does not exist, compares it with the declaration where it does, and opens it.
    fn open(&self, target: &Target) -> impl Future<Output = Result<Self::Table, WriteError>> + Send;
}

/// A table that is open.
pub trait Table: Send + Sync + 'static {
    /// Rows as the database takes them.
    type Batch: Send + 'static;

    /// Where to go on, if the store itself keeps it; else the consumer group says.
    fn places(
        &self,
        topic_id: uuid::Uuid,
    ) -> impl Future<Output = Result<Option<Offsets>, WriteError>> + Send;

    /// Makes rows ready to be written. It asks nobody, and takes a processor's time: it is done while the batch before is written.
    fn ready(&self, rows: Vec<Row>, places: Places) -> Self::Batch;

    /// Writes a batch, and remembers its places where the store keeps them. Must be idempotent by key and version. Rows that the
    /// database can't take are taken out of the batch; then the places are not kept, and the caller writes the batch again.
    fn write(
        &self,
        batch: &mut Self::Batch,
        turn: &mut Turn<'_>,
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

/// Batches of a table are begun one after the other.
#[derive(Default)]
pub struct Turns(Mutex<()>);

/// The right to begin writes. It ends with the batch, or where the store passes it on.
pub struct Turn<'a>(Option<MutexGuard<'a, ()>>);

impl Turns {
    /// Waits until all batches that asked before have passed their turn.
    pub async fn next(&self) -> Turn<'_> {
        Turn(Some(self.0.lock().await))
    }
}

impl Turn<'_> {
    /// Lets the next batch begin before this one is durable: for a store where neither the order of rows nor a place of its own
    /// matters.
    pub fn pass(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn the_next_batch_begins_when_the_turn_is_passed_or_has_ended() {
        let turns = Turns::default();
        let mut first = turns.next().await;
        assert!(turns.next().now_or_never().is_none());
        first.pass();
        let second = turns.next().now_or_never().unwrap();
        assert!(turns.next().now_or_never().is_none());
        drop(second);
        assert!(turns.next().now_or_never().is_some(), "the first is not done and holds up nobody");
    }
}
