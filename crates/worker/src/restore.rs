//! Where a slot goes on: its partitions, their committed places and watermarks, and the state from the changelog.

use crate::{
    output::Outputs,
    progress::Counts,
    slot::{Failure, Work},
};
use kafka::{Committed, Polled, Progress, Reader, Start};
use query::{Job, Slot};
use serde::{Deserialize, Serialize};
use service::{Break, CancellationToken, Guards};
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
    beside: Beside,
    last_read: Instant,
    idle: bool,
}

/// What is committed beside a place, as its metadata: it must change in the same transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Beside {
    /// Milliseconds since 1970.
    watermark: Option<i64>,
    /// A slot counts at the first of its partitions; a job's counts are the sum over all.
    #[serde(default)]
    counts: Counts,
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
        let beside = beside(&stream, partition, offset, &metadata)?;
        slot.add_partition(&stream, partition, beside.watermark)?;
        places.insert(
            partition,
            Place { next, committed: offset.unwrap_or(-1), beside, last_read: Instant::now(), idle: false },
        );
    }
    let assigned: Vec<_> =
        places.iter().map(|(partition, place)| (stream.clone(), *partition, Start::At(place.next))).collect();
    reader.assign(&assigned)?;
    Ok((reader, Inputs { stream, idle_after: declared.idle_after, places }))
}

fn beside(stream: &str, partition: i32, offset: Option<i64>, metadata: &str) -> Result<Beside, Failure> {
    if offset.is_none() || metadata.is_empty() {
        return Ok(Beside::default());
    }
    serde_json::from_str(metadata).map_err(|cause| {
        Failure::Again(format!(
            "the job's place in {stream}/{partition} carries \"{metadata}\", which is not a watermark ({cause}): reset it with \
             offset and metadata as a job writes them, or with none"
        ))
    })
}

/// Reads the state of the slot's partitions from the changelog, where the job has state.
pub fn state(
    work: &Work,
    outputs: &Outputs,
    inputs: &Inputs,
    slot: &mut Slot,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let Some(topic) = &outputs.changelog else { return Ok(()) };
    let reader = Reader::new(&work.config.kafka.bootstrap, &format!("{}.restore", work.job.group()))?;
    let mut left: Vec<i32> = inputs.places.keys().copied().collect();
    let assigned: Vec<_> =
        left.iter().map(|partition| (topic.to_string(), *partition, Start::Beginning)).collect();
    reader.assign(&assigned)?;
    let started = Instant::now();
    while !left.is_empty() {
        if stop.is_cancelled() {
            return Err(Failure::Stopped);
        }
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

    pub fn read(&mut self, partition: i32, offset: i64, now: Instant) {
        if let Some(place) = self.places.get_mut(&partition) {
            place.next = offset + 1;
            place.last_read = now;
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
                place.beside.watermark = Some(*watermark);
            }
        }
    }

    pub fn count(&mut self, more: Counts) {
        if let Some(place) = self.places.values_mut().next() {
            place.beside.counts += more;
        }
    }

    /// The slot's counts since the job's first record.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.places.values().for_each(|place| sum += place.beside.counts);
        sum
    }

    pub fn has_moved(&self) -> bool {
        self.places.values().any(|place| place.next != place.committed)
    }

    /// The places to commit, each with what belongs beside it.
    pub fn progress(&self, guards: Guards) -> Vec<Progress> {
        let too_low = i64::from(guards.lack(Break::OffsetMinusOne));
        let progress = |(partition, place): (&i32, &Place)| Progress {
            topic: self.stream.clone(),
            partition: *partition,
            offset: (place.next - too_low).max(0),
            // Numbers and field names: this can't fail.
            metadata: serde_json::to_string(&place.beside).unwrap_or_default(),
        };
        self.places.iter().map(progress).collect()
    }

    pub fn committed(&mut self) {
        self.places.values_mut().for_each(|place| place.committed = place.next);
    }
}
