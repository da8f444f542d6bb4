//! Where a slot goes on: its partitions, their committed places and watermarks, and the state from the changelog.

use crate::{
    output::Outputs,
    slot::{Failure, Work},
};
use kafka::{Committed, Polled, Progress, Reader, Start};
use query::{Job, Slot};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The input partitions of a slot.
pub struct Inputs {
    pub stream: String,
    idle_after: Duration,
    places: BTreeMap<i32, Place>,
}

struct Place {
    /// Next to read.
    next: i64,
    committed: i64,
    watermark: Option<i64>,
    last_read: Instant,
    idle: bool,
}

/// Reading a changelog must not hang for ever.
const RESTORE_MAX: Duration = Duration::from_secs(300);

/// Finds the slot's partitions and places, and starts to read there.
pub fn inputs(work: &Work, job: &Job, slot: &mut Slot) -> Result<(Reader, Inputs), Failure> {
    let stream =
        job.inputs().first().ok_or_else(|| Failure::Again("the job reads no stream".into()))?.clone();
    let declared = &work.pipeline.streams[&stream];
    let reader = Reader::new(&work.config.kafka.bootstrap, &work.job.group())?;
    let mut places = BTreeMap::new();
    for Committed { partition, offset, metadata } in reader.committed(&stream, declared.partitions as i32)? {
        if partition % work.job.slots as i32 != work.number {
            continue;
        }
        let next = match offset {
            Some(offset) => offset,
            None => reader.bounds(&stream, partition)?.0,
        };
        let watermark = metadata.parse().ok();
        slot.add_partition(&stream, partition, watermark)?;
        places.insert(
            partition,
            Place {
                next,
                committed: offset.unwrap_or(-1),
                watermark,
                last_read: Instant::now(),
                idle: false,
            },
        );
    }
    let assigned: Vec<_> =
        places.iter().map(|(partition, place)| (stream.clone(), *partition, Start::At(place.next))).collect();
    reader.assign(&assigned)?;
    Ok((reader, Inputs { stream, idle_after: declared.idle_after, places }))
}

/// Reads the state of the slot's partitions from the changelog, where the job has state.
pub fn state(work: &Work, outputs: &Outputs, inputs: &Inputs, slot: &mut Slot) -> Result<(), Failure> {
    let Some(topic) = &outputs.changelog else { return Ok(()) };
    let reader = Reader::new(&work.config.kafka.bootstrap, &format!("{}.restore", work.job.group()))?;
    let mut left: Vec<i32> = inputs.places.keys().copied().collect();
    let assigned: Vec<_> =
        left.iter().map(|partition| (topic.to_string(), *partition, Start::Beginning)).collect();
    reader.assign(&assigned)?;
    let started = Instant::now();
    while !left.is_empty() {
        match reader.poll(Duration::from_millis(100))? {
            Polled::Record(record) => {
                let key = record.key.as_deref().unwrap_or_default();
                slot.restore(record.partition, key, record.payload.as_deref())?;
            }
            Polled::End { partition, .. } => left.retain(|waiting| *waiting != partition),
            Polled::Nothing if started.elapsed() > RESTORE_MAX => {
                return Err(Failure::Again(format!(
                    "the changelog {topic} was not read within {RESTORE_MAX:?}"
                )));
            }
            Polled::Nothing => {}
        }
    }
    Ok(())
}

impl Inputs {
    pub fn partitions(&self) -> Vec<i32> {
        self.places.keys().copied().collect()
    }

    pub fn read(&mut self, partition: i32, offset: i64) {
        if let Some(place) = self.places.get_mut(&partition) {
            place.next = offset + 1;
            place.last_read = Instant::now();
            place.idle = false;
        }
    }

    /// Partitions whose end was reached: what is left before it are transaction markers.
    pub fn caught(&mut self, ends: Vec<(String, i32, i64)>) {
        for (_, partition, end) in ends {
            if let Some(place) = self.places.get_mut(&partition) {
                place.next = place.next.max(end);
            }
        }
    }

    /// Partitions that have been silent for long enough, each told once.
    pub fn newly_idle(&mut self) -> Vec<i32> {
        let idle_after = self.idle_after;
        let silent = self
            .places
            .iter_mut()
            .filter(|(_, place)| !place.idle && place.last_read.elapsed() >= idle_after);
        silent
            .map(|(partition, place)| {
                place.idle = true;
                *partition
            })
            .collect()
    }

    pub fn see_watermarks(&mut self, watermarks: &[(String, i32, i64)]) {
        for (_, partition, watermark) in watermarks {
            if let Some(place) = self.places.get_mut(partition) {
                place.watermark = Some(*watermark);
            }
        }
    }

    pub fn has_moved(&self) -> bool {
        self.places.values().any(|place| place.next != place.committed)
    }

    /// The places to commit, each with its watermark.
    pub fn progress(&self) -> Vec<Progress> {
        let progress = |(partition, place): (&i32, &Place)| Progress {
            topic: self.stream.clone(),
            partition: *partition,
            offset: place.next,
            metadata: place.watermark.map_or_else(String::new, |watermark| watermark.to_string()),
        };
        self.places.iter().map(progress).collect()
    }

    pub fn committed(&mut self) {
        self.places.values_mut().for_each(|place| place.committed = place.next);
    }
}
