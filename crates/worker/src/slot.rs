//! One slot: reads its partitions, runs the job's SQL, commits, for as long as it is ours.

use crate::{
    Config,
    output::{self, Outputs},
    owner::Owner,
    progress::{Counts, Progress},
    restore::{self, Inputs},
    taken::Taken,
    writer::Writer,
};
use kafka::{Batches, Group, TransactionError};
use model::Retry;
use pipeline::{Job, Pipeline};
use query::Decoder;
use registry::Registry;
use service::{Break, CancellationToken, Guards};
use std::time::{Duration, Instant};

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
            Ok(()) | Err(Failure::Stopped) => return,
            Err(ended @ (Failure::Fenced | Failure::TakenAway)) => {
                tracing::warn!(job = work.job.name, slot = work.number, "{}", ended.sentence());
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
    /// Kafka has refused what this worker wrote.
    Fenced,
    /// It was given to somebody else before this worker wrote anything.
    TakenAway,
    /// It was asked to end before it had begun.
    Stopped,
    /// To be begun anew.
    Again(String),
}

impl Failure {
    fn sentence(&self) -> &str {
        match self {
            Self::Fenced => "another worker has taken over this slot: Kafka refused what this one wrote",
            Self::TakenAway => "this slot was given to another worker before this one wrote anything",
            Self::Stopped => "it is to end",
            Self::Again(reason) => reason,
        }
    }
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

/// Two workers that take an id at the same moment: who is refused has written nothing.
fn before_any_write(cause: TransactionError) -> Failure {
    match cause {
        TransactionError::Fenced => Failure::TakenAway,
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
        None => Writer::new(work).map_err(before_any_write)?,
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
    let mut running = Running::start(work, stop)?;
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
    group: Group,
    batches: Batches,
    inputs: Inputs,
    outputs: Outputs,
    /// Records of the last round: the next will have as many.
    gathered: usize,
}

impl Running {
    fn start(work: &Work, stop: &CancellationToken) -> Result<Self, Failure> {
        let job = query::compile(&query::JobSpec::of(&work.pipeline, &work.job))?;
        let outputs = work.runtime.block_on(Outputs::prepare(work, &job))?;
        let mut slot = query::Slot::new(&job)?;
        work.runtime.block_on(work.owner.check(work))?;
        let (group, batches, inputs) = restore::inputs(work, &job, &mut slot)?;
        restore::state(work, &outputs, &inputs, &mut slot, stop)?;
        let stream = &work.pipeline.streams[&inputs.stream];
        let decoder = Decoder::new(&stream.avsc)?;
        tracing::info!(job = work.job.name, slot = work.number, partitions = ?inputs.partitions(), state_rows = slot.state_rows(), "slot runs");
        Ok(Self { slot, decoder, group, batches, inputs, outputs, gathered: 0 })
    }

    /// Gathers records for one commit interval, and commits what comes of them.
    fn round(&mut self, work: &Work, progress: &Progress, writer: &mut Writer) -> Result<(), Failure> {
        let taken = self.gather(work)?;
        self.push(work, &taken)?;
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
        self.outputs.send(work, &commit, &taken, writer).map_err(transaction)?;
        writer.commit(&self.inputs.progress(work.guards), &self.group).map_err(transaction)?;
        self.slot.applied();
        self.inputs.committed();
        self.report(progress);
        Ok(())
    }

    fn report(&self, progress: &Progress) {
        progress.committed(self.inputs.counts(), self.slot.state_rows(), self.slot.watermark());
    }

    fn gather(&mut self, work: &Work) -> Result<Taken, Failure> {
        let (started, max) = (Instant::now(), work.config.batch_rows_max);
        let mut taken = Taken::with_capacity(self.gathered.min(max));
        while taken.records.len() < max {
            let left = work.config.commit_interval.saturating_sub(started.elapsed());
            let Some(part) = self.batches.next(max - taken.records.len(), left)? else { break };
            self.inputs.read(part.partition, part.next, !part.records.is_empty(), Instant::now());
            part.records.into_iter().for_each(|record| taken.push(record));
            if left.is_zero() {
                break;
            }
        }
        self.gathered = taken.records.len();
        Ok(taken)
    }

    /// Hands records to the job.
    fn push(&mut self, work: &Work, taken: &Taken) -> Result<(), Failure> {
        let decoded = loop {
            let decoded = self.decoder.decode(&taken.records);
            if decoded.unknown_ids.is_empty() {
                break decoded;
            }
            output::learn(work, &mut self.decoder, &decoded.unknown_ids)?;
        };
        let stream = self.inputs.stream.clone();
        for (index, reason) in decoded.bad {
            let record = &taken.records[index];
            self.slot.dead(&stream, record.partition, record.offset, reason)?;
        }
        if let Some(batch) = decoded.good {
            self.slot.push(&stream, batch)?;
        }
        Ok(())
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
