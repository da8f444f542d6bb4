//! One running slot of a job: its operator, its state in memory, and the watermarks of the partitions that it owns.

mod intake;

use std::sync::Arc;

use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::filter_record_batch,
    error::ArrowError,
};
use datafusion_common::DataFusionError;

use crate::{
    aggregate::{Operator, StateKey},
    changelog,
    commit::{Commit, DeadRow, OutRow},
    decode::{InBatch, Place},
    encode::describe,
    job::{Job, Plan},
    stage::{self, Rows},
    watermark::Watermarks,
};
use intake::Fate;

/// Why a slot cannot go on. None of these is about a single record: those become dead rows.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    #[error("the job does not read the stream {input}; give a slot only records of its job's inputs")]
    UnknownInput { input: String },
    #[error("partition {partition} was not added to this slot; add it before its first record")]
    UnknownPartition { partition: i32 },
    #[error(
        "the changelog holds state of layout {found:016x}, the job's is {expected:016x}; start the job's new version without state, or deploy the old one"
    )]
    OtherLayout { found: u64, expected: u64 },
    #[error(
        "a changelog record of {bytes} bytes cannot be read; its topic holds something else than this job's state"
    )]
    BadChangelog { bytes: usize },
    #[error("the last commit is neither applied nor given up; call applied() after it, or make a new slot")]
    CommitOpen,
    #[error(
        "the job's plan fails on a whole batch: {0}; this is a defect of the engine, please report it with the job's SQL"
    )]
    Engine(String),
}

impl From<DataFusionError> for SlotError {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(error.strip_backtrace())
    }
}

impl From<ArrowError> for SlotError {
    fn from(error: ArrowError) -> Self {
        Self::Engine(error.to_string())
    }
}

/// One running instance of a job, for the input partitions of one slot.
pub struct Slot {
    plan: Arc<Plan>,
    watermarks: Watermarks,
    operator: Option<Operator>,
    pending: Commit,
    commit_open: bool,
}

/// A job has one input today; watermarks and idle marks are kept by input already.
const ONLY_INPUT: usize = 0;

impl Slot {
    pub fn new(job: &Job) -> Result<Self, SlotError> {
        let plan = Arc::clone(&job.plan);
        let operator = plan.operator.as_ref().map(|a| Operator::new(Arc::clone(a))).transpose()?;
        Ok(Self {
            plan,
            watermarks: Watermarks::default(),
            operator,
            pending: Commit::default(),
            commit_open: false,
        })
    }

    /// Takes over a partition, with the watermark that was committed with its offset.
    pub fn add_partition(
        &mut self,
        input: &str,
        partition: i32,
        watermark: Option<i64>,
    ) -> Result<(), SlotError> {
        let input = self.input(input)?;
        self.watermarks.add((input, partition), watermark);
        Ok(())
    }

    /// Takes one record of the changelog's partition, in order, after `add_partition` and before the first push.
    pub fn restore(&mut self, partition: i32, key: &[u8], value: Option<&[u8]>) -> Result<(), SlotError> {
        match changelog::read_key(self.plan.layout, key)? {
            changelog::Key::Idle { input } => {
                self.watermarks.restore_idle((input, partition), value.is_some())
            }
            changelog::Key::State { end, group } => {
                if let Some(operator) = &mut self.operator {
                    operator.restore(StateKey { end, group: group.into(), partition }, value);
                }
                Ok(())
            }
        }
    }

    /// Works on rows, one after the other as far as time goes. What comes of them is in the next flush.
    pub fn push(&mut self, input: &str, batch: InBatch) -> Result<(), SlotError> {
        self.input(input)?;
        self.pending.rows_in += batch.num_rows() as u64;
        let plan = Arc::clone(&self.plan);
        let rows = plan.with_pseudo_columns(&batch)?;
        let fates = plan.fates(&rows)?;
        let keep = self.judge(fates, &batch.places)?;
        if keep.true_count() == keep.len() {
            return self.work(&plan, rows, &batch.places);
        }
        let places: Vec<Place> =
            batch.places.iter().zip(keep.values()).filter_map(|(p, keep)| keep.then_some(*p)).collect();
        self.work(&plan, filter_record_batch(&rows, &keep)?, &places)
    }

    /// Counts a record that could not be decoded as a dead row of this slot.
    pub fn dead(
        &mut self,
        input: &str,
        partition: i32,
        offset: i64,
        reason: String,
    ) -> Result<(), SlotError> {
        let input = self.input(input)?;
        self.watermarks.wake((input, partition))?;
        self.pending.rows_in += 1;
        self.bury(partition, offset, reason);
        Ok(())
    }

    /// The partition is silent: it no longer holds the watermark back, until its next row.
    pub fn idle(&mut self, input: &str, partition: i32) -> Result<(), SlotError> {
        let input = self.input(input)?;
        self.watermarks.idle((input, partition))
    }

    /// The input is bounded and over: the watermark goes to the end of time.
    pub fn end(&mut self) {
        self.watermarks.end();
    }

    /// Everything since the last flush. Closed windows come out, and their state goes.
    pub fn flush(&mut self) -> Result<Commit, SlotError> {
        if self.commit_open {
            return Err(SlotError::CommitOpen);
        }
        let plan = Arc::clone(&self.plan);
        let watermark = self.watermarks.advance();
        if let Some(operator) = &mut self.operator {
            let flushed = operator.flush(watermark)?;
            for (key, value) in flushed.changes {
                let bytes = changelog::state_key(plan.layout, key.end, &key.group);
                self.pending.changelog.push((key.partition, bytes, value.map(Into::into)));
            }
            self.emit_windows(&plan, flushed.rows)?;
            for ((input, partition), idle) in self.watermarks.idle_marks() {
                self.pending.changelog.push((
                    partition,
                    changelog::idle_key(plan.layout, input),
                    idle.then(|| vec![1]),
                ));
            }
        }
        let watermarks = self.watermarks.commit();
        let mut commit = std::mem::take(&mut self.pending);
        commit.watermarks =
            watermarks.into_iter().map(|((_, p), w)| (plan.input.name.to_string(), p, w)).collect();
        self.commit_open = true;
        Ok(commit)
    }

    /// The transaction of the last flush is committed. After one that was aborted the slot is dropped instead, and a new one
    /// is restored from the changelog.
    pub fn applied(&mut self) {
        self.commit_open = false;
    }

    /// The number of states that are kept, as of the last flush.
    pub fn state_rows(&self) -> usize {
        self.operator.as_ref().map_or(0, Operator::len)
    }

    /// The least watermark over the partitions that are not idle, in milliseconds.
    pub fn watermark(&self) -> Option<i64> {
        self.watermarks.current()
    }

    fn input(&self, name: &str) -> Result<usize, SlotError> {
        if name == &*self.plan.input.name {
            Ok(ONLY_INPUT)
        } else {
            Err(SlotError::UnknownInput { input: name.to_owned() })
        }
    }

    /// Row by row: who is dead, who is late, and how far the watermarks are. Comes before every filter, so that a WHERE changes
    /// neither the watermark nor what is late.
    fn judge(&mut self, fates: Vec<Fate>, places: &[Place]) -> Result<BooleanArray, SlotError> {
        debug_assert_eq!(fates.len(), places.len());
        let mut keep = Vec::with_capacity(fates.len());
        for (fate, place) in fates.into_iter().zip(places) {
            let id = (ONLY_INPUT, place.partition);
            let reached = self.watermarks.wake(id)?;
            keep.push(match fate {
                Fate::Dead(reason) => {
                    self.bury(place.partition, place.offset, reason);
                    false
                }
                Fate::Timeless => true,
                Fate::At(instant) => {
                    let late = self.plan.is_late(instant, reached);
                    if late {
                        self.pending.late.push((place.partition, place.offset));
                    }
                    self.watermarks.see(id, instant - self.plan.input.delay_ms)?;
                    !late
                }
            });
        }
        Ok(keep.into())
    }

    fn work(&mut self, plan: &Plan, rows: RecordBatch, places: &[Place]) -> Result<(), SlotError> {
        let count = rows.num_rows();
        let mut failed = Vec::new();
        let done = stage::run(&plan.before, Rows::new(rows), &mut failed)?;
        self.pending.filtered += (count - done.batch.num_rows() - failed.len()) as u64;
        for (row, reason) in failed {
            let place = places[row as usize];
            self.bury(place.partition, place.offset, reason);
        }
        if done.batch.num_rows() == 0 {
            return Ok(());
        }
        let places = done.origin.values().iter().map(|row| places[*row as usize]);
        match &mut self.operator {
            Some(operator) => {
                self.pending.taken += done.batch.num_rows() as u64;
                operator.add(&done.batch, &places.map(|p| p.partition).collect::<Vec<_>>())
            }
            None => {
                let encoded = plan.encoder.encode(&done.batch);
                for (place, result) in places.zip(encoded) {
                    match result {
                        Ok((key, payload)) => {
                            let source = Some((place.partition, place.offset));
                            self.pending.taken += 1;
                            self.pending.outputs.push(OutRow { key, payload, source });
                        }
                        Err(reason) => self.bury(place.partition, place.offset, reason),
                    }
                }
                Ok(())
            }
        }
    }

    fn emit_windows(&mut self, plan: &Plan, rows: RecordBatch) -> Result<(), SlotError> {
        let mut failed = Vec::new();
        let done = stage::run(&plan.after, Rows::new(rows.clone()), &mut failed)?;
        for (row, reason) in failed {
            self.bury_window(describe(&rows, row as usize), reason);
        }
        for (row, result) in plan.encoder.encode(&done.batch).into_iter().enumerate() {
            match result {
                Ok((key, payload)) => self.pending.outputs.push(OutRow { key, payload, source: None }),
                Err(reason) => self.bury_window(describe(&done.batch, row), reason),
            }
        }
        Ok(())
    }

    fn bury(&mut self, partition: i32, offset: i64, reason: String) {
        let input = Arc::clone(&self.plan.input.name);
        self.pending.dead.push(DeadRow { input, partition, offset: Some(offset), reason, row: None });
    }

    fn bury_window(&mut self, row: String, reason: String) {
        let input = Arc::clone(&self.plan.input.name);
        self.pending.dead.push(DeadRow { input, partition: 0, offset: None, reason, row: Some(row) });
    }
}
