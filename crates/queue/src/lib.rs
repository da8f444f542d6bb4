//! Runs and tasks in PostgreSQL.
//!
//! A run is made once for each reason to run (its key). Its ready tasks are claimed with `FOR UPDATE SKIP LOCKED`; a claim is a
//! lease with an `attempt_id`, and every write of a result names that id, so that a late answer of a lost holder is refused by
//! the database. Finishing a task moves counters on its children: O(children), nothing is scanned. All clocks are the database's.

mod about;
mod act;
mod after;
mod backfill;
mod chores;
mod claim;
mod clear;
mod dags;
mod event;
mod figures;
mod finish;
mod hint;
mod judge;
mod log;
mod make;
mod map;
mod micros;
mod months;
mod notify;
mod pools;
mod read;
mod reconcile;
mod renew;
mod rescue;
mod run;
mod setups;
mod tell;
mod trace;
mod why;

pub use about::About;
pub use act::{ActionRow, By};
pub use after::Success;
pub use backfill::{BackfillRow, Backfilled, Counts, NewBackfill, Reprocess, There};
pub use chores::Chores;
pub use claim::Claim;
pub use clear::Clear;
pub use dags::{DagRow, Fired};
pub use event::{Offsets, Place};
pub use figures::{EndedRun, Figures, PoolFigures};
pub use finish::{Ending, Finished, RESULT_BYTES_MAX};
pub use hint::Hint;
pub use log::{LEVELS, LINE_CHARS_MAX, LOG_CHANNEL, Line, Lines, LogLine, ansi, cut};
pub use map::{Expansion, Item, Items};
pub use notify::{NOTIFICATIONS_CHANNEL, Notification, Sent};
pub use pools::Late;
pub use read::{AttemptRow, Notice, RunRow, TaskRow, Which};
pub use reconcile::Reconciled;
pub use renew::Renewed;
pub use run::{Cause, NewRun, NewTask};
pub use trace::TracedAttempt;

use model::Guards;
use postgres::PgPool;

/// The queue of one metadata database. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    pool: PgPool,
    /// Of claims: they take turns anyway.
    claims: PgPool,
    guards: Guards,
}

/// The channel of the hint that a run has changed; its payload is a [`Hint`].
pub const CHANNEL: &str = "millrace_runs";

/// The channel of the hint that tasks of a run were taken from who holds them; its payload is the run's id.
pub const STOP_CHANNEL: &str = "millrace_stop";

/// The channel of the hint that there may be something to do beside tasks: a run has ended, or a DAG is to be looked at.
pub const CHORES_CHANNEL: &str = "millrace_chores";

impl Queue {
    pub fn new(pool: PgPool) -> Self {
        Self::with_guards(pool, Guards::default())
    }

    /// A queue from which a test may have taken guards away.
    pub fn with_guards(pool: PgPool, guards: Guards) -> Self {
        Self { claims: postgres::one_connection(&pool), pool, guards }
    }

    /// Which of them stand.
    pub fn guards(&self) -> Guards {
        self.guards
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

#[cfg(test)]
mod tests;
