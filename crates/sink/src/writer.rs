//! What is done with a batch, and with how far its table is.

use crate::{
    Context, Store, Table, Target, Turns, WriteError, Written, batch::Batch, progress::Telling,
    status::Status,
};
use kafka::{Committer, Outgoing, RECORD_ID, Record};
use model::{DeadLetter, Incarnation, Stage};
use service::Break;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::timeout;
use wire::passed::Offsets;

/// Writes to one table.
pub struct Writer<'a, S: Store> {
    pub context: &'a Context<S>,
    pub target: &'a Target,
    pub table: Arc<S::Table>,
    pub life: Incarnation,
    pub turns: Turns,
}

/// A batch that is durable or in quarantine, and with it all before.
pub struct Done {
    pub next: Offsets,
    pub rows: u64,
    pub dead: u64,
}

/// A batch takes some milliseconds, and where row by row must be tried a second. Who has not answered by then never will.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A store may have done what it never answered; everything that is asked of it may be asked again.
pub async fn answered<T>(asked: impl Future<Output = Result<T, WriteError>>) -> Result<T, WriteError> {
    let silent = |_| Err(WriteError::Away(format!("the database did not answer within {ANSWER_MAX:?}")));
    timeout(ANSWER_MAX, asked).await.unwrap_or_else(silent)
}

impl<S: Store> Writer<'_, S> {
    /// Makes every record a row or a dead letter. The store keeps the place only with the last of its rows, so what it refuses is
    /// buried before that: a place must never be kept for a record that is nowhere yet.
    pub async fn write(&self, mut batch: Batch<<S::Table as Table>::Batch>) -> Result<Done, String> {
        let mut dead = batch.bad.len() as u64;
        self.bury(batch.bad).await?;
        // Held until the batch is written, unless the store passes it on: waiting for it is nobody's silence.
        let mut turn = self.turns.next().await;
        loop {
            let refused = match answered(self.table.write(&mut batch.rows, &mut turn)).await {
                Ok(Written::All) => {
                    return Ok(Done { next: batch.next, rows: batch.records.len() as u64, dead });
                }
                Ok(Written::Refused(refused)) => refused,
                Err(WriteError::Away(reason)) => return Err(format!("{reason}; the batch is written again")),
                Err(WriteError::Unfit(reason)) => return Err(reason),
            };
            dead += refused.len() as u64;
            let out: BTreeSet<usize> = refused.iter().map(|(row, _)| *row).collect();
            let refused = refused.into_iter().map(|(row, reason)| (batch.records[row].clone(), reason));
            self.bury(refused.collect()).await?;
            batch.records = without(batch.records, &out);
        }
    }

    /// Keeps how far the table is, and counts.
    pub async fn tell(&self, group: &Committer, told: Telling, status: &Status) -> Result<(), String> {
        let Telling { next, rows, dead } = told;
        group.commit(&next).await.map_err(|cause| cause.to_string())?;
        tokio::join!(self.remember_height(&next), status.keep_counts(rows, dead));
        Ok(())
    }

    /// Sends what cannot be a row to the dead letters, with where it came from.
    async fn bury(&self, bad: Vec<(Record, String)>) -> Result<(), String> {
        if bad.is_empty() || self.context.guards.lack(Break::DropDeadLetters) {
            return Ok(());
        }
        let topic: Arc<str> = model::dead::topic_of(&self.target.stream.name).into();
        let letters = bad.into_iter().map(|(record, reason)| Outgoing {
            topic: topic.clone(),
            headers: self.headers(&record, reason),
            key: record.key.map(|key| key.to_vec()),
            payload: record.payload.map(|payload| payload.to_vec()),
            partition: None,
        });
        let sender = self.context.sender.get().await.map_err(|cause| cause.to_string())?;
        for confirmed in sender.send_all(letters.collect()).await {
            confirmed.map_err(|cause| format!("a dead letter was not kept: {cause}"))?;
        }
        Ok(())
    }

    fn headers(&self, record: &Record, reason: String) -> Vec<(&'static str, String)> {
        let letter = DeadLetter {
            stage: Stage::Sink,
            reason,
            topic: record.topic.to_string(),
            partition: Some(record.partition),
            offset: Some(record.offset),
            job: Some(self.target.table.name.clone()),
            version: Some(self.target.version.clone()),
        };
        let mut headers = letter.headers();
        headers.extend(record.header(RECORD_ID).map(|id| (RECORD_ID, id.to_owned())));
        headers
    }

    async fn remember_height(&self, next: &Offsets) {
        let highest = next.0.values().max().copied().unwrap_or(0);
        let kept = postgres::incarnation::reached(&self.context.metadata, self.life.topic_id, highest);
        if let Err(cause) = postgres::answered(kept).await {
            tracing::warn!("the height of {} was not kept: {cause}", self.life.topic);
        }
    }
}

fn without<T>(items: Vec<T>, out: &BTreeSet<usize>) -> Vec<T> {
    items.into_iter().enumerate().filter(|(index, _)| !out.contains(index)).map(|(_, item)| item).collect()
}
