//! Acknowledged = stored? Compares what a load client was told with what is there afterwards.
//!
//! A [`load`] client writes a [`ledger`]: a line before and a line after each operation. When the faults are over, somebody
//! reads topics and tables into an [`Evidence`] ([`console`] reads a topic by Kafka's own consumer, so that a mistake of ours
//! cannot hide itself), and [`check`](check::check) says, id by id, what was lost, doubled, torn or put out of order. The
//! check is pure: its tests give it broken histories of every kind.

pub mod check;
pub mod console;
mod event;
mod evidence;
pub mod ledger;
pub mod load;
mod report;

pub use check::check;
pub use event::{Event, Fate, SCHEMA};
pub use evidence::{Evidence, Marker, Message, Row, Shape, Table, Window};
pub use ledger::{Ledger, Outcome};
pub use report::{Finding, Report};
