//! When a DAG is due: cron expressions in a time zone, the two strange nights of the year, and missed times.
//!
//! Pure: the caller says what time it is.

mod calendar;
mod cron;
mod due;

pub use calendar::{Calendar, Overlap};
pub use cron::{Cron, CronError};
pub use due::{Catchup, Due, due};
