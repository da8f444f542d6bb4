//! Several cron expressions in one time zone.

use crate::{Cron, CronError};
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// What a fixed time means in the night when it comes twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    #[default]
    First,
    Last,
    Both,
}

/// The instants at which something fires: the union of its cron expressions, in one zone.
///
/// A time in the gap of spring fires at the first valid instant, once. A fixed time in the overlap of autumn fires as
/// [`Overlap`] says. An hour that is "every" or "every n-th" fires at every real instant and at no unreal one.
#[derive(Clone, Debug)]
pub struct Calendar {
    crons: Vec<Cron>,
    zone: Tz,
    overlap: Overlap,
}

/// No zone turns its clock back by more since 1970.
const SHIFT_MAX: Duration = Duration::hours(3);

impl Calendar {
    pub fn new(expressions: &[String], zone: &str, overlap: Overlap) -> Result<Self, CronError> {
        let crons = expressions.iter().map(|text| Cron::parse(text)).collect::<Result<_, _>>()?;
        let zone = zone.parse().map_err(|_| CronError::Zone { zone: zone.to_owned() })?;
        Ok(Self { crons, zone, overlap })
    }

    /// The first instant strictly after `after`.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.crons.iter().filter_map(|cron| self.next_of(cron, after)).min()
    }

    /// The last instant at or before `at` that is later than `floor`.
    pub fn latest(&self, floor: DateTime<Utc>, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Looks back in growing steps: a yearly schedule must not be walked minute by minute, nor `* * * * *` year by year.
        let mut back = Duration::minutes(2);
        loop {
            let from = (at - back).max(floor);
            let found = self.between(from, at).last();
            if found.is_some() || from == floor {
                return found;
            }
            back = back * 8;
        }
    }

    /// All instants in `(after, until]`, in order.
    pub fn between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        std::iter::successors(self.next(after), |last| self.next(*last))
            .take_while(move |next| *next <= until)
    }

    fn next_of(&self, cron: &Cron, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wall = after.with_timezone(&self.zone).naive_local();
        if self.is_plain(after) {
            let next = cron.next_wall(wall)?;
            if next - wall < SHIFT_MAX {
                return self.instants(cron, next).into_iter().min();
            }
        }
        // Near a transition wall-clock order is not the order of instants, so all matches around it are looked at.
        let mut best: Option<DateTime<Utc>> = None;
        let mut at = wall - SHIFT_MAX;
        loop {
            let Some(next) = cron.next_wall(at) else { return best };
            for instant in self.instants(cron, next) {
                if instant > after && best.is_none_or(|found| instant < found) {
                    best = Some(instant);
                }
            }
            at = next;
            if let Some(found) = best
                && at > found.with_timezone(&self.zone).naive_local() + SHIFT_MAX
            {
                return best;
            }
        }
    }

    /// Whether no transition is near.
    fn is_plain(&self, at: DateTime<Utc>) -> bool {
        let offset = |when: DateTime<Utc>| self.zone.offset_from_utc_datetime(&when.naive_utc()).fix();
        let here = offset(at);
        here == offset(at - SHIFT_MAX) && here == offset(at + SHIFT_MAX) && here == offset(at + SHIFT_MAX * 2)
    }

    /// The real instants of a wall-clock time.
    fn instants(&self, cron: &Cron, wall: NaiveDateTime) -> Vec<DateTime<Utc>> {
        match self.zone.from_local_datetime(&wall) {
            LocalResult::Single(one) => vec![one.to_utc()],
            LocalResult::Ambiguous(first, last) => match (cron.fixed_hours, self.overlap) {
                (true, Overlap::First) => vec![first.to_utc()],
                (true, Overlap::Last) => vec![last.to_utc()],
                _ => vec![first.to_utc(), last.to_utc()],
            },
            LocalResult::None if cron.fixed_hours => self.end_of_gap(wall).into_iter().collect(),
            LocalResult::None => vec![],
        }
    }

    /// The first instant after the gap in which `wall` lies.
    fn end_of_gap(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let before = (1..=26 * 4).find_map(|quarters| {
            self.zone.from_local_datetime(&(wall - Duration::minutes(15 * quarters))).latest()
        })?;
        // The offset before the gap, applied to the wall time inside it, gives an instant at or after the transition.
        let (mut low, mut high) = (
            before.to_utc(),
            wall.and_utc() - Duration::seconds(before.offset().fix().local_minus_utc().into()),
        );
        let old = before.offset().fix();
        while high - low > Duration::seconds(1) {
            let middle = low + Duration::seconds((high - low).num_seconds() / 2);
            if self.zone.offset_from_utc_datetime(&middle.naive_utc()).fix() == old {
                low = middle
            } else {
                high = middle
            }
        }
        Some(high)
    }
}

#[cfg(test)]
mod tests;
