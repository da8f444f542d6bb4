//! Where a slot goes on: its partitions, their committed places and watermarks, and the state from the changelog.

use crate::{
    output::Outputs,
    progress::Counts,
    slot::{Failure, Work},
};
use kafka::{Batches, Cluster, Committed, Group, Progress, cluster::End};
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
pub fn inputs(work: &Work, job: &Job, slot: &mut Slot) -> Result<(Group, Batches, Inputs), Failure> {
    let stream =
        job.inputs().first().ok_or_else(|| Failure::Again("the job reads no stream".into()))?.clone();
    let declared = &work.pipeline.streams[&stream];
    let bootstrap = &work.config.kafka.bootstrap;
    let group = Group::new(bootstrap, &work.job.group())?;
    let mut places = BTreeMap::new();
    for Committed { partition, offset, metadata } in group.committed(&stream, declared.partitions as i32)? {
        if partition % work.job.slots as i32 != work.number {
            continue;
        }
        let next = match offset {
            Some(offset) => offset,
            None => group.bounds(&stream, partition)?.0,
        };
        let beside = beside(&stream, partition, offset, &metadata)?;
        slot.add_partition(&stream, partition, beside.watermark)?;
        places.insert(
            partition,
            Place { next, committed: offset.unwrap_or(-1), beside, last_read: Instant::now(), idle: false },
        );
    }
    let next: Vec<_> = places.iter().map(|(partition, place)| (*partition, place.next)).collect();
    let batches = Batches::start(&Cluster::new(bootstrap), &stream, &next, &work.runtime);
    Ok((group, batches, Inputs { stream, idle_after: declared.idle_after, places }))
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
    let mut left: Vec<i32> = inputs.places.keys().copied().collect();
    let mut changes = changes(work, topic, &left)?;
    let started = Instant::now();
    while !left.is_empty() {
        if stop.is_cancelled() {
            return Err(Failure::Stopped);
        }
        if let Some(part) = changes.next(RESTORE_RECORDS_MAX, Duration::from_millis(100))? {
            for record in part.records {
                let key = record.key.as_deref().unwrap_or_default();
                slot.restore(record.partition, key, record.payload.as_deref())?;
            }
            left.retain(|waiting| !(part.end && *waiting == part.partition));
        } else if started.elapsed() > RESTORE_MAX {
            return Err(Failure::Again(format!("the changelog {topic} was not read within {RESTORE_MAX:?}")));
        }
    }
    Ok(())
}

/// Between two looks at whether the slot is to stop.
const RESTORE_RECORDS_MAX: usize = 10_000;

/// All that is kept of a changelog's partitions.
fn changes(work: &Work, topic: &str, partitions: &[i32]) -> Result<Batches, Failure> {
    let cluster = Cluster::new(&work.config.kafka.bootstrap);
    let first = work.runtime.block_on(cluster.ends(topic, End::First))?.0;
    let places: Vec<_> = first.into_iter().filter(|(partition, _)| partitions.contains(partition)).collect();
    Ok(Batches::start(&cluster, topic, &places, &work.runtime))
}

impl Inputs {
    pub fn partitions(&self) -> Vec<i32> {
        self.places.keys().copied().collect()
    }

    /// All before `next` was read; `records` where there were some.
    pub fn read(&mut self, partition: i32, next: i64, records: bool, now: Instant) {
        if let Some(place) = self.places.get_mut(&partition) {
            place.next = next;
            if records {
                (place.last_read, place.idle) = (now, false);
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
