//! What a slot writes: its topics, the schema of its rows, and the records of a transaction.

use crate::slot::{Failure, Work};
use kafka::{Cluster, Outgoing, RECORD_ID, Record, TopicSpec};
use model::{DeadLetter, Stage};
use query::{Commit, DeadRow, Decoder, Job};
use registry::RegistryError;
use service::Break;
use std::{collections::HashMap, sync::Arc, time::Duration};
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

    /// The records of one commit: rows, dead letters, changes of state. `read` has the input records by place.
    pub fn records<'a>(
        &'a self,
        work: &'a Work,
        commit: &'a Commit,
        read: &'a HashMap<(i32, i64), Record>,
    ) -> impl Iterator<Item = Outgoing> + 'a {
        let rows = commit.outputs.iter().map(move |row| self.row(row, read));
        let kept = !work.guards.lack(Break::DropDeadLetters);
        let dead = commit.dead.iter().filter(move |_| kept).map(move |row| self.dead_letter(work, row, read));
        let changes = commit.changelog.iter().filter_map(move |change| self.change(change));
        rows.chain(dead).chain(changes)
    }

    fn row(&self, row: &query::OutRow, read: &HashMap<(i32, i64), Record>) -> Outgoing {
        let mut payload = Vec::with_capacity(row.payload.len() + frame::HEADER_BYTES);
        payload.extend(frame::header(self.schema_id));
        payload.extend(&row.payload);
        let own = || row.key.as_ref().map(|key| String::from_utf8_lossy(key).into_owned());
        let from_source = row.source.and_then(|place| read.get(&place)?.header(RECORD_ID).map(str::to_owned));
        let headers = from_source.or_else(own).map(|id| (RECORD_ID, id)).into_iter().collect();
        Outgoing {
            topic: self.target.clone(),
            key: row.key.clone(),
            payload: Some(payload),
            headers,
            partition: None,
        }
    }

    fn dead_letter(&self, work: &Work, row: &DeadRow, read: &HashMap<(i32, i64), Record>) -> Outgoing {
        let record = row.offset.and_then(|offset| read.get(&(row.partition, offset)));
        let letter = DeadLetter {
            stage: Stage::Job,
            reason: row.reason.clone(),
            topic: row.input.to_string(),
            partition: row.offset.map(|_| row.partition),
            offset: row.offset,
            job: Some(work.job.name.clone()),
            version: Some(work.pipeline.version.clone()),
        };
        let mut headers = letter.headers();
        headers
            .extend(record.and_then(|record| record.header(RECORD_ID)).map(|id| (RECORD_ID, id.to_owned())));
        let payload = match record {
            Some(record) => record.payload.as_ref().map(|payload| payload.to_vec()),
            None => row.row.as_ref().map(|row| row.clone().into_bytes()),
        };
        let key = record.and_then(|record| record.key.as_ref()).map(|key| key.to_vec());
        Outgoing { topic: self.dead.clone(), key, payload, headers, partition: None }
    }

    /// A change lies in the changelog's partition with the number of the input's.
    fn change(&self, (partition, key, value): &(i32, Vec<u8>, Option<Vec<u8>>)) -> Option<Outgoing> {
        let topic = self.changelog.clone()?;
        Some(Outgoing {
            topic,
            key: Some(key.clone()),
            payload: value.clone(),
            headers: vec![],
            partition: Some(*partition),
        })
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
