//! Which rows share a request: those of one partition, and a few partitions of the same replicas. Pure.
//!
//! A request costs Cassandra more than a row does, and rows of one partition are one mutation. The grouping is that of Spark's connector
//! (`spark.cassandra.output.batch.grouping.key`, `partition` and `replica_set` together).

/// What decides which request a row goes with.
#[derive(Clone, Debug)]
pub struct Routed<R> {
    /// Who keeps the row: rows for others would be passed on.
    pub replicas: R,
    /// Of the row's partition. Two partitions with the same are taken for one, which makes a request larger and no write wrong.
    pub token: i64,
    pub bytes: usize,
}

/// Partitions in a request: above ten Cassandra warns (`unlogged_batch_across_partitions_warn_threshold`).
pub const PARTITIONS_MAX: usize = 10;
/// Bytes of a request with several partitions: above 5 KiB Cassandra warns (`batch_size_warn_threshold`).
pub const MIXED_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a request with one partition: it is one mutation, which may have half a segment of the commit log, some MiB.
pub const ALIKE_BYTES_MAX: usize = 64 * 1024;
/// Rows of a request. What fails is tried again row by row.
pub const ROWS_MAX: usize = 32;

/// Groups rows, each told by its index. One row may be larger than a bound.
pub fn group<R: Ord>(rows: &[Routed<R>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|row| (&rows[*row].replicas, rows[*row].token));
    let mut groups: Vec<Group<R>> = vec![];
    for index in order {
        match groups.last_mut().and_then(|last| last.with(&rows[index])) {
            Some(last) => last.indexes.push(index),
            None => groups.push(Group {
                indexes: vec![index],
                last: &rows[index],
                partitions: 1,
                bytes: rows[index].bytes,
            }),
        }
    }
    groups.into_iter().map(|group| group.indexes).collect()
}

struct Group<'a, R> {
    indexes: Vec<usize>,
    last: &'a Routed<R>,
    partitions: usize,
    bytes: usize,
}

impl<'a, R: Ord> Group<'a, R> {
    /// The group, where `row` may be its next one.
    fn with(&mut self, row: &'a Routed<R>) -> Option<&mut Self> {
        let partitions = self.partitions + usize::from(self.last.token != row.token);
        let bytes = self.bytes + row.bytes;
        let bytes_max = if partitions > 1 { MIXED_BYTES_MAX } else { ALIKE_BYTES_MAX };
        let fits = self.last.replicas == row.replicas
            && self.indexes.len() < ROWS_MAX
            && partitions <= PARTITIONS_MAX
            && bytes <= bytes_max;
        if !fits {
            return None;
        }
        (self.last, self.partitions, self.bytes) = (row, partitions, bytes);
        Some(self)
    }
}

#[cfg(test)]
mod tests;
