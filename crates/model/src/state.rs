//! The states of a run and of a task, and every legal step between them.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$d:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$d])* $variant),* }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text { $($text => Ok($name::$variant),)* _ => Err(format!("no state is called \"{text}\"")) }
            }
        }
    };
}

states! {
    /// Where a run is.
    RunState {
        /// Made, none of its tasks has been claimed.
        Queued = "queued",
        Running = "running",
        Success = "success",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// Every legal step. What is not listed here is a bug.
    pub const fn may_become(self, next: RunState) -> bool {
        use RunState::*;
        matches!(
            (self, next),
            (Queued, Running | Success | Failed | Cancelled)
                | (Running, Success | Failed | Cancelled)
                // Cleared by a person: its tasks are to run again.
                | (Success | Failed | Cancelled, Queued)
        )
    }

    pub const fn is_final(self) -> bool {
        matches!(self, RunState::Success | RunState::Failed | RunState::Cancelled)
    }
}

states! {
    /// Where a task of a run is.
    TaskState {
        /// Waits for its parents.
        Waiting = "waiting",
        /// May be claimed.
        Ready = "ready",
        /// Claimed under a lease.
        Running = "running",
        /// Failed, and will be ready again at a set time.
        Retrying = "retrying",
        Success = "success",
        Failed = "failed",
        Skipped = "skipped",
        UpstreamFailed = "upstream_failed",
        Removed = "removed",
    }
}

impl TaskState {
    /// Every legal step. What is not listed here is a bug.
    pub const fn may_become(self, next: TaskState) -> bool {
        use TaskState::*;
        matches!(
            (self, next),
            (Waiting, Ready | Skipped | UpstreamFailed | Removed)
                | (Ready, Running | Skipped | Removed)
                // Back to `Ready` when the lease ended without an answer, or a sensor has to look again.
                // To `Waiting` where it has made items, and waits for them.
                | (Running, Success | Failed | Skipped | Retrying | Ready | Removed | Waiting)
                | (Retrying, Ready | Removed)
                | (Success | Failed | Skipped | UpstreamFailed | Removed, Waiting | Ready)
        )
    }

    pub const fn is_final(self) -> bool {
        use TaskState::*;
        matches!(self, Success | Failed | Skipped | UpstreamFailed | Removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_from_its_own_word() {
        for state in TaskState::ALL {
            assert_eq!(state.as_str().parse::<TaskState>(), Ok(*state));
        }
        for state in RunState::ALL {
            assert_eq!(state.as_str().parse::<RunState>(), Ok(*state));
        }
    }

    #[test]
    fn no_state_becomes_itself_and_a_finished_task_never_runs_without_being_cleared() {
        for state in TaskState::ALL {
            assert!(!state.may_become(*state), "{state}");
            assert!(!(state.is_final() && state.may_become(TaskState::Running)), "{state}");
        }
    }
}
