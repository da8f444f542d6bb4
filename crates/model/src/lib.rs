//! The words of Millrace: what a run, a task, a dead letter and a row's version are. No I/O and no clock.
//!
//! Everything here is data and pure functions over it, so that every process means the same by a word.

pub mod dead;
pub mod guard;
pub mod incarnation;
pub mod machine;
pub mod retry;
pub mod rule;
pub mod secret;
pub mod span;
pub mod state;

pub use dead::{DeadLetter, Stage};
pub use guard::{Break, Guards};
pub use incarnation::Incarnation;
pub use retry::Retry;
pub use rule::{ParentCounts, TriggerRule, Verdict};
pub use secret::Secret;
pub use state::{RunState, TaskState};
