//! What a slot writes: its topics, the schema of its rows, and the records of a transaction.

use crate::{
    slot::{Failure, Work},
    taken::Taken,
    writer::Writer,
};
use kafka::{Cluster, Lent, RECORD_ID, TopicSpec, TransactionError};
use model::{DeadLetter, Stage};
use query::{Commit, DeadRow, Decoder, Job};
use registry::RegistryError;
use service::Break;
use std::{sync::Arc, time::Duration};
use wire::frame;

/// The topics of a job and the id of its rows' schema.
pub struct Outputs {
    target: Arc<str>,
    dead: Arc<str>,
    /// Only where the job has state. Its name carries the state's layout: another layout begins with none.
    pub changelog: Option<Arc<str>>,
    schema_id: u32,
}

impl Outputs {
    /// Makes the topics and registers the schema.
    pub async fn prepare(work: &Work, job: &Job) -> Result<Self, Failure> {
        let input = job.inputs().first().ok_or_else(|| Failure::Again("the job reads no stream".into()))?;
        let (input, target) = (&work.pipeline.streams[input], &work.pipeline.streams[&work.job.into]);
        let dead = model::dead::topic_of(&input.name);
        let changelog =
            job.is_stateful().then(|| format!("{}-{:016x}-changelog", work.job.name, job.state_layout()));
        let cluster = Cluster::new(&work.config.kafka.bootstrap);
        let inputs = input.partitions as usize;
        let mut specs = vec![
            TopicSpec::new(&input.name, inputs, input.replication, input.retention),
            TopicSpec::new(&target.name, target.partitions as usize, target.replication, target.retention),
            TopicSpec::dead(&dead, inputs, input.replication),
        ];
        specs.extend(changelog.iter().map(|name| TopicSpec::compacted(name, inputs, input.replication)));
        kafka::topics::ensure(&cluster, &specs).await?;
        let schema_id =
            work.registry.register(&format!("{}-value", target.name), job.output_schema()).await?;
        Ok(Self {
            target: target.name.as_str().into(),
            dead: dead.into(),
            changelog: changelog.map(Into::into),
            schema_id,
        })
    }

    /// Sends the records of one commit: rows, dead letters, changes of state.
    pub fn send(
        &self,
        work: &Work,
        commit: &Commit,
        taken: &Taken,
        writer: &mut Writer,
    ) -> Result<(), TransactionError> {
        let mut payload = vec![];
        for row in &commit.outputs {
            self.send_row(row, taken, &mut payload, writer)?;
        }
        if !work.guards.lack(Break::DropDeadLetters) {
            for row in &commit.dead {
                self.bury(work, row, taken, writer)?;
            }
        }
        let Some(topic) = &self.changelog else { return Ok(()) };
        for (partition, key, value) in &commit.changelog {
            // A change lies in the changelog's partition with the number of the input's.
            let partition = Some(*partition);
            writer.send(Lent {
                topic,
                key: Some(key),
                payload: value.as_deref(),
                headers: &[],
                partition,
            })?;
        }
        Ok(())
    }

    /// `payload` is room that is used again for each row.
    fn send_row(
        &self,
        row: &query::OutRow,
        taken: &Taken,
        payload: &mut Vec<u8>,
        writer: &mut Writer,
    ) -> Result<(), TransactionError> {
        payload.clear();
        payload.extend_from_slice(&frame::header(self.schema_id));
        payload.extend_from_slice(&row.payload);
        let own = row.key.as_deref().map(String::from_utf8_lossy);
        let id = row.source.and_then(|place| taken.find(place)?.1).or(own.as_deref());
        writer.send(Lent {
            topic: &self.target,
            key: row.key.as_deref(),
            payload: Some(payload),
            headers: id.map(|id| (RECORD_ID, id)).as_slice(),
            partition: None,
        })
    }

    fn bury(
        &self,
        work: &Work,
        row: &DeadRow,
        taken: &Taken,
        writer: &mut Writer,
    ) -> Result<(), TransactionError> {
        let found = row.offset.and_then(|offset| taken.find((row.partition, offset)));
        let letter = DeadLetter {
            stage: Stage::Job,
            reason: row.reason.clone(),
            topic: row.input.to_string(),
            partition: row.offset.map(|_| row.partition),
            offset: row.offset,
            job: Some(work.job.name.clone()),
            version: Some(work.pipeline.version.clone()),
        };
        let headers = letter.headers();
        let mut headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(found.and_then(|(_, id)| Some((RECORD_ID, id?))));
        let payload = match found {
            Some((record, _)) => record.payload.as_deref(),
            None => row.row.as_deref().map(str::as_bytes),
        };
        let key = found.and_then(|(record, _)| record.key.as_deref());
        writer.send(Lent { topic: &self.dead, key, payload, headers: &headers, partition: None })
    }
}

/// How long an unknown schema is waited for before the slot is begun anew.
const LEARN_MAX: Duration = Duration::from_secs(10);

/// Asks the registry for schemas that records were written with. While it is away, records of unknown schemas wait.
pub fn learn(work: &Work, decoder: &mut Decoder, ids: &[u32]) -> Result<(), Failure> {
    for id in ids {
        let asked = async { tokio::time::timeout(LEARN_MAX, work.registry.schema(*id)).await };
        match work.runtime.block_on(asked) {
            Err(_) => {
                return Err(Failure::Again(format!(
                    "the registry did not tell schema id {id} within {LEARN_MAX:?}"
                )));
            }
            Ok(Err(cause @ RegistryError::Unreachable { .. })) => return Err(cause.into()),
            Ok(Err(cause)) => decoder.refuse_writer_schema(*id, &cause.to_string()),
            Ok(Ok(schema)) => {
                if let Err(cause) = decoder.add_writer_schema(*id, &schema) {
                    decoder.refuse_writer_schema(*id, &cause.to_string());
                }
            }
        }
    }
    Ok(())
}
