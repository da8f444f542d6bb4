//! What a table has, and what of it is told to Kafka and PostgreSQL.

use crate::writer::Done;
use std::time::Duration;
use tokio::time::Instant;
use wire::passed::Offsets;

/// How far a table is.
pub struct Progress {
    /// Everything before it is durable or in quarantine.
    pub next: Offsets,
    rows: u64,
    dead: u64,
    is_told: bool,
    told_at: Instant,
    telling: Option<Telling>,
}

/// What is told now, while the next rows are written.
#[derive(Clone)]
pub struct Telling {
    pub next: Offsets,
    pub rows: u64,
    pub dead: u64,
}

/// Places are kept and rows are counted this often at most: it takes three answers, each of a disk. What was written since is what a
/// crash makes the sink write again.
const TELL_EVERY: Duration = Duration::from_millis(100);

impl Progress {
    /// What could not be told before is told now, where the table goes on behind it: else it is written and counted again.
    pub fn from(next: Offsets, untold: Option<Telling>) -> Self {
        let telling = untold.filter(|untold| next.has_passed(&untold.next));
        Self { next, rows: 0, dead: 0, is_told: telling.is_none(), told_at: Instant::now(), telling }
    }

    pub fn add(&mut self, done: &Done) {
        self.next.clone_from(&done.next);
        self.rows += done.rows;
        self.dead += done.dead;
        self.is_told = false;
    }

    /// When what was added is to be told; nothing where all of it is.
    pub fn to_be_told_at(&self) -> Option<Instant> {
        (!self.is_told).then(|| self.told_at + TELL_EVERY)
    }

    /// What is not told yet is to be told now, with what was to be told and was not.
    pub fn hand_over(&mut self) {
        if self.is_told {
            return;
        }
        let before = self.telling.take().map_or((0, 0), |telling| (telling.rows, telling.dead));
        let (rows, dead) = (before.0 + self.rows, before.1 + self.dead);
        self.telling = Some(Telling { next: self.next.clone(), rows, dead });
        (self.rows, self.dead, self.is_told) = (0, 0, true);
    }

    pub fn telling(&self) -> Option<&Telling> {
        self.telling.as_ref()
    }

    /// What was handed over is told.
    pub fn told(&mut self) {
        if self.telling.take().is_some() {
            self.told_at = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(next: i64) -> Offsets {
        Offsets([(0, next)].into())
    }

    fn done(next: i64, rows: u64, dead: u64) -> Done {
        Done { next: offsets(next), rows, dead }
    }

    fn told(progress: &Progress) -> Option<(Offsets, u64, u64)> {
        progress.telling().map(|Telling { next, rows, dead }| (next.clone(), *rows, *dead))
    }

    #[test]
    fn what_was_to_be_told_and_was_not_is_told_with_what_came_since() {
        let mut progress = Progress::from(offsets(5), None);
        assert!(progress.to_be_told_at().is_none() && progress.telling().is_none());
        progress.add(&done(8, 2, 1));
        progress.hand_over();
        progress.add(&done(9, 1, 0));
        assert_eq!(told(&progress), Some((offsets(8), 2, 1)), "what came since waits");
        progress.hand_over();
        assert_eq!(told(&progress), Some((offsets(9), 3, 1)));
        progress.told();
        assert!(progress.to_be_told_at().is_none() && progress.telling().is_none());
    }

    #[test]
    fn what_was_not_told_before_a_failure_is_told_after_it_unless_it_is_written_again() {
        let untold = || Some(Telling { next: offsets(8), rows: 2, dead: 1 });
        let mut behind_it = Progress::from(offsets(8), untold());
        behind_it.hand_over();
        assert_eq!(told(&behind_it), Some((offsets(8), 2, 1)));
        let mut before_it = Progress::from(offsets(5), untold());
        before_it.hand_over();
        assert_eq!(told(&before_it), None);
        before_it.add(&done(8, 2, 1));
        before_it.hand_over();
        assert_eq!(told(&before_it), Some((offsets(8), 2, 1)));
    }
}
