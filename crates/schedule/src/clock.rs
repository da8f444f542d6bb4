//! The wall clock of a time zone, and the instants behind it.

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(pub Tz);

/// The instants at which a wall-clock time is shown.
pub(crate) enum Shown {
    Once(DateTime<Utc>),
    /// In the night of autumn.
    Twice(DateTime<Utc>, DateTime<Utc>),
    /// In the night of spring; never, where the zone's data end.
    Never(Option<Gap>),
}

/// Wall-clock times that are left out.
pub(crate) struct Gap {
    pub begin: NaiveDateTime,
    pub end: NaiveDateTime,
    /// The first valid instant after them.
    pub over_at: DateTime<Utc>,
}

/// A moment at which the clock is turned back.
pub(crate) struct Turn {
    pub before: NaiveDateTime,
    pub after: NaiveDateTime,
}

/// No clock has been turned back by more since 1970, and none twice within so long.
const TURNED_BACK_MAX: TimeDelta = TimeDelta::hours(3);

impl Clock {
    pub fn wall(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc() + TimeDelta::seconds(self.offset(at))
    }

    pub fn shown(&self, wall: NaiveDateTime) -> Shown {
        match self.0.from_local_datetime(&wall) {
            LocalResult::Single(at) => Shown::Once(at.to_utc()),
            LocalResult::Ambiguous(first, last) => Shown::Twice(first.to_utc(), last.to_utc()),
            LocalResult::None => Shown::Never(self.gap(wall)),
        }
    }

    fn gap(&self, wall: NaiveDateTime) -> Option<Gap> {
        let GapInfo { begin, end } = GapInfo::new(&wall, &self.0)?;
        let (begin, end) = (begin?.0, end?);
        Some(Gap { begin, end: end.naive_local(), over_at: end.to_utc() })
    }

    /// The turn that lies shortly after `at`: times that the clock has shown by then may come again.
    pub fn turns_soon(&self, at: DateTime<Utc>) -> Option<Turn> {
        self.turn(at, at.checked_add_signed(TURNED_BACK_MAX)?)
    }

    /// The turn that lies shortly before `at`.
    pub fn turned_lately(&self, at: DateTime<Utc>) -> Option<Turn> {
        self.turn(at.checked_sub_signed(TURNED_BACK_MAX)?, at)
    }

    fn turn(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Turn> {
        let (old, new) = (self.offset(from), self.offset(to));
        if new >= old {
            return None;
        }
        let (mut low, mut high) = (from.timestamp(), to.timestamp());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.offset(DateTime::from_timestamp(middle, 0)?) == old {
                low = middle
            } else {
                high = middle
            }
        }
        let at = DateTime::from_timestamp(high, 0)?.naive_utc();
        Some(Turn { before: at + TimeDelta::seconds(old), after: at + TimeDelta::seconds(new) })
    }

    /// Seconds east of UTC.
    fn offset(&self, at: DateTime<Utc>) -> i64 {
        self.0.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc().into()
    }
}
