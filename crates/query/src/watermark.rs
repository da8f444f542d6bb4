//! Watermarks of the partitions of one slot, advanced row by row.

use std::collections::BTreeMap;

use crate::slot::SlotError;

/// Before any instant that a row can have: years 1 to 9999 are taken.
pub(crate) const INSTANT_MIN_MS: i64 = -62_135_596_800_000;
/// The last millisecond of the year 9999.
pub(crate) const INSTANT_MAX_MS: i64 = 253_402_300_799_999;
/// The watermark of an input that is bounded and over.
pub(crate) const END_OF_TIME: i64 = i64::MAX;

/// An input of the job by its position, and a partition of it.
pub(crate) type PartitionId = (usize, i32);

#[derive(Debug, Default)]
pub(crate) struct Watermarks {
    partitions: BTreeMap<PartitionId, Partition>,
    /// Of the slot: the least over the partitions that are not idle. It never goes back.
    slot: Option<i64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Partition {
    watermark: Option<i64>,
    idle: bool,
    /// Whether the changelog says that it is idle.
    idle_recorded: bool,
}

impl Watermarks {
    pub(crate) fn add(&mut self, id: PartitionId, watermark: Option<i64>) {
        self.partitions.insert(id, Partition { watermark, ..Partition::default() });
    }

    pub(crate) fn restore_idle(&mut self, id: PartitionId, idle: bool) -> Result<(), SlotError> {
        let partition = self.partition(id)?;
        partition.idle = idle;
        partition.idle_recorded = idle;
        Ok(())
    }

    /// Marks a partition as having sent something, and answers the watermark that its next row is judged by.
    ///
    /// A partition that was idle takes over the slot's watermark: windows that were closed without it stay closed.
    pub(crate) fn wake(&mut self, id: PartitionId) -> Result<Option<i64>, SlotError> {
        let partition = self.partition(id)?;
        if !partition.idle {
            return Ok(partition.watermark);
        }
        let slot = self.advance();
        let partition = self.partition(id)?;
        partition.idle = false;
        partition.watermark = partition.watermark.max(slot);
        Ok(partition.watermark)
    }

    /// Advances a partition by a row's time, already less the delay.
    pub(crate) fn see(&mut self, id: PartitionId, watermark: i64) -> Result<(), SlotError> {
        let partition = self.partition(id)?;
        partition.watermark = partition.watermark.max(Some(watermark));
        Ok(())
    }

    pub(crate) fn idle(&mut self, id: PartitionId) -> Result<(), SlotError> {
        // What the slot had reached with this partition stays, even where it was the last one that was not idle.
        self.advance();
        self.partition(id)?.idle = true;
        Ok(())
    }

    pub(crate) fn end(&mut self) {
        for partition in self.partitions.values_mut() {
            partition.watermark = Some(END_OF_TIME);
            partition.idle = false;
        }
    }

    /// Brings the slot's watermark up to date. With all partitions idle it stays where it is; one that was never read from
    /// holds it back until it is idle.
    pub(crate) fn advance(&mut self) -> Option<i64> {
        let busy = self.partitions.values().filter(|p| !p.idle).map(|p| p.watermark);
        if let Some(least) = busy.min() {
            self.slot = self.slot.max(least);
        }
        self.slot
    }

    pub(crate) fn current(&self) -> Option<i64> {
        self.slot
    }

    /// Ends a commit: idle partitions follow the slot, so that a restore from what is committed judges their rows alike.
    pub(crate) fn commit(&mut self) -> Vec<(PartitionId, i64)> {
        let slot = self.advance();
        for partition in self.partitions.values_mut().filter(|p| p.idle) {
            partition.watermark = partition.watermark.max(slot);
        }
        self.partitions.iter().filter_map(|(id, p)| Some((*id, p.watermark?))).collect()
    }

    /// The partitions whose idle mark differs from what the changelog says; it says so from now on.
    pub(crate) fn idle_marks(&mut self) -> Vec<(PartitionId, bool)> {
        let mut marks = Vec::new();
        for (id, partition) in self.partitions.iter_mut().filter(|(_, p)| p.idle != p.idle_recorded) {
            partition.idle_recorded = partition.idle;
            marks.push((*id, partition.idle));
        }
        marks
    }

    fn partition(&mut self, id: PartitionId) -> Result<&mut Partition, SlotError> {
        self.partitions.get_mut(&id).ok_or(SlotError::UnknownPartition { partition: id.1 })
    }
}
