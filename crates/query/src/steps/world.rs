//! What stands around a job in a trial: partitions with their offsets, slots, and what a commit has made durable.

use std::collections::{BTreeMap, BTreeSet};

use super::{StepError, StepOptions, step::Step};
use crate::{
    commit::Commit,
    decode::{Decoder, InRecord},
    job::Job,
    json,
    shape::Shape,
    slot::Slot,
    spec::JobSpec,
};

/// The id under which the rows of the steps are "registered".
const SCHEMA_ID: u32 = 1;

type Changelog = BTreeMap<i32, BTreeMap<Vec<u8>, Vec<u8>>>;

pub(super) struct World {
    job: Job,
    input: String,
    shape: Shape,
    decoder: Decoder,
    partitions: BTreeSet<i32>,
    slots: Vec<Slot>,
    batch_rows: usize,
    /// Records that wait for their batch, by slot.
    waiting: Vec<Vec<InRecord>>,
    offsets: BTreeMap<i32, i64>,
    /// What was committed: state by partition and key, watermarks by partition.
    changelog: Changelog,
    watermarks: BTreeMap<i32, i64>,
    /// Since the last commit: a worker would read these again after a restart.
    uncommitted: Vec<Event>,
    pub(super) late: u64,
    pub(super) dead: u64,
}

#[derive(Debug, Clone)]
enum Event {
    Record(InRecord),
    Idle(i32),
    End,
}

impl World {
    pub(super) fn new(
        job: &Job,
        spec: &JobSpec,
        steps: &[(usize, Step)],
        options: &StepOptions,
    ) -> Result<Self, StepError> {
        let input = job.inputs().first().cloned().unwrap_or_default();
        let schema =
            spec.inputs.iter().find(|s| s.name == input).map(|s| s.schema.as_str()).unwrap_or_default();
        let mut decoder = Decoder::new(schema)?;
        decoder.add_writer_schema(SCHEMA_ID, schema)?;
        let shape = Shape::parse(schema).map_err(|message| StepError::Input { line: 0, message })?;
        let count = if job.needs_one_slot() { 1 } else { options.slots.max(1) } as usize;
        let mut world = Self {
            job: job.clone(),
            partitions: named_partitions(steps, &input),
            input,
            shape,
            decoder,
            slots: Vec::new(),
            batch_rows: options.batch_rows.max(1),
            waiting: vec![Vec::new(); count],
            offsets: BTreeMap::new(),
            changelog: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            uncommitted: Vec::new(),
            late: 0,
            dead: 0,
        };
        world.start_slots()?;
        Ok(world)
    }

    /// Takes any step but a flush.
    pub(super) fn take(&mut self, line: usize, step: &Step) -> Result<(), StepError> {
        let event = match step {
            Step::Row { input, partition, row } if *input == self.input => Event::Record(
                self.record(*partition, row).map_err(|message| StepError::Input { line, message })?,
            ),
            Step::Idle { input, partition } if *input == self.input => Event::Idle(*partition),
            // A stream that this job does not read.
            Step::Row { .. } | Step::Idle { .. } | Step::Flush => return Ok(()),
            Step::End => Event::End,
            Step::Restart => return self.restart(),
        };
        self.uncommitted.push(event.clone());
        self.apply(event)
    }

    /// Processes all that waits, commits, and answers the Avro bodies of the rows that came out.
    pub(super) fn flush(&mut self) -> Result<Vec<Vec<u8>>, StepError> {
        let mut rows = Vec::new();
        for slot in 0..self.slots.len() {
            self.push(slot)?;
            let commit = self.slots[slot].flush()?;
            debug_assert_eq!(commit.rows_in, counted(&commit), "every row is counted once");
            self.late += commit.late.len() as u64;
            self.dead += commit.dead.len() as u64;
            for (partition, key, value) in commit.changelog {
                let entries = self.changelog.entry(partition).or_default();
                match value {
                    Some(value) => drop(entries.insert(key, value)),
                    None => drop(entries.remove(&key)),
                }
            }
            self.watermarks.extend(
                commit.watermarks.into_iter().map(|(_, partition, watermark)| (partition, watermark)),
            );
            rows.extend(commit.outputs.into_iter().map(|o| o.payload));
            self.slots[slot].applied();
        }
        self.uncommitted.clear();
        Ok(rows)
    }

    /// Drops all memory and restores as a worker would: from what was committed, reading again what was not.
    pub(super) fn restart(&mut self) -> Result<(), StepError> {
        self.waiting.iter_mut().for_each(Vec::clear);
        self.start_slots()?;
        for event in self.uncommitted.clone() {
            self.apply(event)?;
        }
        Ok(())
    }

    pub(super) fn state_rows(&self) -> usize {
        self.slots.iter().map(Slot::state_rows).sum()
    }

    fn start_slots(&mut self) -> Result<(), StepError> {
        self.slots.clear();
        for _ in 0..self.waiting.len() {
            self.slots.push(Slot::new(&self.job)?);
        }
        for partition in self.partitions.clone() {
            let slot = self.slot_of(partition);
            let watermark = self.watermarks.get(&partition).copied();
            self.slots[slot].add_partition(&self.input, partition, watermark)?;
            for (key, value) in self.changelog.get(&partition).into_iter().flatten() {
                self.slots[slot].restore(partition, key, Some(value))?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) -> Result<(), StepError> {
        match event {
            Event::Record(record) => {
                let slot = self.slot_of(record.partition);
                self.waiting[slot].push(record);
                if self.waiting[slot].len() >= self.batch_rows {
                    self.push(slot)?;
                }
            }
            Event::Idle(partition) => {
                let slot = self.slot_of(partition);
                self.push(slot)?;
                self.slots[slot].idle(&self.input, partition)?;
            }
            Event::End => {
                for slot in 0..self.slots.len() {
                    self.push(slot)?;
                    self.slots[slot].end();
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, slot: usize) -> Result<(), StepError> {
        let records = std::mem::take(&mut self.waiting[slot]);
        let decoded = self.decoder.decode(&records);
        if let Some(batch) = decoded.good {
            self.slots[slot].push(&self.input, batch)?;
        }
        for (i, reason) in decoded.bad {
            self.slots[slot].dead(&self.input, records[i].partition, records[i].offset, reason)?;
        }
        Ok(())
    }

    fn slot_of(&self, partition: i32) -> usize {
        partition.unsigned_abs() as usize % self.waiting.len()
    }

    /// A row as the record that a producer would write. Kafka's time is its offset: the same in every run.
    fn record(&mut self, partition: i32, row: &serde_json::Value) -> Result<InRecord, String> {
        let mut payload = vec![0];
        payload.extend(SCHEMA_ID.to_be_bytes());
        json::to_avro(&self.shape, row, &mut payload)?;
        let next = self.offsets.entry(partition).or_default();
        let offset = *next;
        *next += 1;
        Ok(InRecord { partition, offset, timestamp_ms: offset, key: None, payload: Some(payload.into()) })
    }
}

fn counted(commit: &Commit) -> u64 {
    let dead = commit.dead.iter().filter(|d| d.offset.is_some()).count();
    commit.taken + commit.filtered + (commit.late.len() + dead) as u64
}

fn named_partitions(steps: &[(usize, Step)], stream: &str) -> BTreeSet<i32> {
    let named = steps.iter().filter_map(|(_, step)| match step {
        Step::Row { input, partition, .. } | Step::Idle { input, partition } if input == stream => {
            Some(*partition)
        }
        _ => None,
    });
    named.collect()
}
