//! One slot: reads its partitions, runs the job's SQL, commits, for as long as it is ours.

use crate::{
    Config,
    output::{self, Outputs},
    owner::Owner,
    progress::{Counts, Progress},
    restore::{self, Inputs},
    writer::Writer,
};
use kafka::{Polled, Reader, Record, TransactionError};
use model::Retry;
use pipeline::{Job, Pipeline};
use query::{Decoder, InRecord};
use registry::Registry;
use service::{Break, CancellationToken, Guards};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// What a slot's thread is to do.
pub struct Work {
    pub pipeline: Pipeline,
    pub job: Job,
    pub number: i32,
    pub config: Config,
    pub registry: Registry,
    pub owner: Owner,
    /// For the few questions that are asked asynchronously.
    pub runtime: tokio::runtime::Handle,
    pub guards: Guards,
}

const PAUSE: Retry = Retry::new(u32::MAX, Duration::from_millis(200), Duration::from_secs(5));

/// Runs until it is stopped or fenced. After any other failure everything is made anew from Kafka.
pub fn run(work: &Work, stop: &CancellationToken, progress: &Progress) {
    let (mut failed, mut reused) = (0, None);
    while !stop.is_cancelled() {
        progress.set("starting", None);
        match go_on(work, stop, progress, &mut reused) {
            Ok(()) => return,
            Err(Failure::Fenced) => {
                tracing::warn!(
                    job = work.job.name,
                    slot = work.number,
                    "another worker has taken over this slot"
                );
                return;
            }
            Err(Failure::Again(reason)) => {
                failed += 1;
                tracing::warn!(job = work.job.name, slot = work.number, "{reason}");
                progress.set("failed", Some(reason));
                wait(stop, PAUSE.pause(failed.min(6), 0.9));
            }
        }
    }
}

/// Why a slot can't go on as it is.
pub enum Failure {
    Fenced,
    /// To be begun anew.
    Again(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(cause: E) -> Self {
        Failure::Again(cause.to_string())
    }
}

fn transaction(cause: TransactionError) -> Failure {
    match cause {
        TransactionError::Fenced => Failure::Fenced,
        TransactionError::Aborted(reason) => Failure::Again(reason),
    }
}

fn wait(stop: &CancellationToken, pause: Duration) {
    let until = Instant::now() + pause;
    while Instant::now() < until && !stop.is_cancelled() {
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Fences the former owner first: only then are the committed offsets and the changelog final.
fn go_on(
    work: &Work,
    stop: &CancellationToken,
    progress: &Progress,
    reused: &mut Option<Writer>,
) -> Result<(), Failure> {
    let mut writer = match reused.take() {
        Some(writer) => writer,
        None => Writer::new(work).map_err(transaction)?,
    };
    let ended = write_on(work, stop, progress, &mut writer);
    // After a failure the writer's transaction may still end at the broker, some time. A new writer cannot be hit by that.
    if ended.is_err() && work.guards.lack(Break::NoRecycle) {
        *reused = Some(writer);
    }
    ended
}

fn write_on(
    work: &Work,
    stop: &CancellationToken,
    progress: &Progress,
    writer: &mut Writer,
) -> Result<(), Failure> {
    let mut running = Running::start(work)?;
    progress.set("running", None);
    running.report(progress);
    while !stop.is_cancelled() {
        running.round(work, progress, writer)?;
    }
    Ok(())
}

struct Running {
    slot: query::Slot,
    decoder: Decoder,
    reader: Reader,
    inputs: Inputs,
    outputs: Outputs,
}

impl Running {
    fn start(work: &Work) -> Result<Self, Failure> {
        let job = query::compile(&query::JobSpec::of(&work.pipeline, &work.job))?;
        let outputs = work.runtime.block_on(Outputs::prepare(work, &job))?;
        let mut slot = query::Slot::new(&job)?;
        work.runtime.block_on(work.owner.check(work))?;
        let (reader, inputs) = restore::inputs(work, &job, &mut slot)?;
        restore::state(work, &outputs, &inputs, &mut slot)?;
        let stream = &work.pipeline.streams[&inputs.stream];
        let decoder = Decoder::new(&stream.avsc)?;
        tracing::info!(job = work.job.name, slot = work.number, partitions = ?inputs.partitions(), state_rows = slot.state_rows(), "slot runs");
        Ok(Self { slot, decoder, reader, inputs, outputs })
    }

    /// Gathers records for one commit interval, and commits what comes of them.
    fn round(&mut self, work: &Work, progress: &Progress, writer: &mut Writer) -> Result<(), Failure> {
        let records = self.gather(work)?;
        let payloads = self.push(work, records)?;
        for partition in self.inputs.newly_idle() {
            self.slot.idle(&self.inputs.stream.clone(), partition)?;
        }
        let commit = self.slot.flush()?;
        let empty = commit.outputs.is_empty() && commit.dead.is_empty() && commit.changelog.is_empty();
        if empty && !self.inputs.has_moved() {
            self.slot.applied();
            return Ok(());
        }
        self.inputs.see_watermarks(&commit.watermarks);
        self.inputs.count(counts(&commit));
        writer.begin().map_err(transaction)?;
        for record in self.outputs.records(work, &commit, &payloads) {
            writer.send(record).map_err(transaction)?;
        }
        writer.commit(&self.inputs.progress(work.guards), &self.reader).map_err(transaction)?;
        self.slot.applied();
        self.inputs.committed();
        self.report(progress);
        Ok(())
    }

    fn report(&self, progress: &Progress) {
        progress.committed(self.inputs.counts(), self.slot.state_rows(), self.slot.watermark());
    }

    fn gather(&mut self, work: &Work) -> Result<Vec<Record>, Failure> {
        let (started, mut records) = (Instant::now(), vec![]);
        while records.len() < work.config.batch_rows_max {
            let left = work.config.commit_interval.saturating_sub(started.elapsed());
            if left.is_zero() {
                break;
            }
            match self.reader.poll(left)? {
                Polled::Record(record) => {
                    self.inputs.read(record.partition, record.offset);
                    records.push(record);
                }
                Polled::End { .. } => {}
                Polled::Nothing => self.inputs.caught(self.reader.ends()),
            }
        }
        Ok(records)
    }

    /// Hands records to the job. Answers their payloads by place: a dead letter carries its payload byte for byte.
    fn push(&mut self, work: &Work, records: Vec<Record>) -> Result<HashMap<(i32, i64), Record>, Failure> {
        let input = |record: &Record| InRecord {
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.clone(),
            payload: record.payload.clone(),
        };
        let given: Vec<InRecord> = records.iter().map(input).collect();
        let decoded = loop {
            let decoded = self.decoder.decode(&given);
            if decoded.unknown_ids.is_empty() {
                break decoded;
            }
            output::learn(work, &mut self.decoder, &decoded.unknown_ids)?;
        };
        let stream = self.inputs.stream.clone();
        for (index, reason) in decoded.bad {
            self.slot.dead(&stream, given[index].partition, given[index].offset, reason)?;
        }
        if let Some(batch) = decoded.good {
            self.slot.push(&stream, batch)?;
        }
        Ok(records.into_iter().map(|record| ((record.partition, record.offset), record)).collect())
    }
}

fn counts(commit: &query::Commit) -> Counts {
    Counts {
        rows_in: commit.rows_in,
        rows_out: commit.outputs.len() as u64,
        dead: commit.dead.len() as u64,
        late: commit.late.len() as u64,
        filtered: commit.filtered,
    }
}
