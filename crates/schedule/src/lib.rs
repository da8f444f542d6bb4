//! When a DAG is due: cron expressions, intervals and dates in a time zone, the two strange nights of the year, and missed times.
//!
//! [`Schedule`] is what a file says, [`Calendar`] the instants that follow from it, [`Timetable`] the runs that follow from those.
//! Pure: the caller says what time it is.

mod calendar;
mod clock;
mod cron;
mod every;
mod policy;
mod schedule;
mod timetable;

pub use calendar::{Calendar, Overlap};
pub use policy::{Catchup, OnUnpause, RunImmediately};
pub use schedule::{Schedule, ScheduleError};
pub use timetable::{Due, History, Planned, RUNS_MAX, Timetable};
