//! How many records a second a slot reads, from its totals at a few moments.

use crate::decide::SlotId;
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// A rate is over this long: a worker tells its totals twice a second, so a shorter one would jump.
const OVER: Duration = Duration::from_secs(10);

/// The last totals of each slot.
#[derive(Debug, Default)]
pub struct Rates(BTreeMap<SlotId, VecDeque<(Instant, u64)>>);

impl Rates {
    /// Takes a slot's total. Answers its rate, `None` at the first look.
    pub fn see(&mut self, slot: SlotId, total: u64, now: Instant) -> Option<f64> {
        let seen = self.0.entry(slot).or_default();
        // A total that went back is another life of the job.
        if seen.back().is_some_and(|(_, last)| *last > total) {
            seen.clear();
        }
        seen.push_back((now, total));
        while seen.len() > 2 && now - seen[0].0 > OVER {
            seen.pop_front();
        }
        let (since, first) = seen[0];
        let seconds = (now - since).as_secs_f64();
        (seconds > 0.0).then(|| (total - first) as f64 / seconds)
    }

    /// Forgets slots that are gone.
    pub fn keep(&mut self, there: impl Fn(&SlotId) -> bool) {
        self.0.retain(|slot, _| there(slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_over_the_last_ten_seconds_and_begins_anew_when_a_total_goes_back() {
        let start = Instant::now();
        let mut rates = Rates::default();
        let mut see =
            |second: u64, total| rates.see(("job".into(), 0), total, start + Duration::from_secs(second));
        assert_eq!(see(0, 1000), None);
        assert_eq!(see(2, 1400), Some(200.0));
        assert_eq!(see(10, 1400), Some(40.0));
        assert_eq!(see(13, 1400), Some(0.0));
        assert_eq!(see(14, 0), None);
        assert_eq!(see(15, 7), Some(7.0));
    }
}
