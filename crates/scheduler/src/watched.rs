//! The tasks whose logs somebody may be reading: only theirs are drawn when they grow.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Tasks whose pages were opened a short while ago. Cheap to clone.
#[derive(Clone, Default)]
pub struct Watched(Arc<Mutex<HashMap<(Uuid, String), Instant>>>);

/// A page that was opened longer ago follows its log no more until it is read again.
const WATCHED_FOR: Duration = Duration::from_secs(3600);
/// More pages of tasks are hardly open at once; the one that was opened first gives way.
const WATCHED_MAX: usize = 200;

impl Watched {
    pub fn add(&self, run_id: Uuid, task: &str) {
        let mut tasks = self.tasks();
        tasks.retain(|_, opened| opened.elapsed() < WATCHED_FOR);
        if tasks.len() >= WATCHED_MAX
            && let Some(oldest) = tasks.iter().min_by_key(|(_, opened)| **opened).map(|(key, _)| key.clone())
        {
            tasks.remove(&oldest);
        }
        tasks.insert((run_id, task.to_owned()), Instant::now());
    }

    pub fn has(&self, run_id: Uuid, task: &str) -> bool {
        let opened = self.tasks().get(&(run_id, task.to_owned())).copied();
        opened.is_some_and(|opened| opened.elapsed() < WATCHED_FOR)
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<(Uuid, String), Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_that_was_opened_first_gives_way() {
        let watched = Watched::default();
        (0..=WATCHED_MAX).for_each(|n| watched.add(Uuid::nil(), &n.to_string()));
        let has = |n: usize| watched.has(Uuid::nil(), &n.to_string());
        assert_eq!((has(0), has(1), has(WATCHED_MAX)), (false, true, true));
    }
}
