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
        self.goes_on_to(next) || self.is_made(next)
    }

    /// Steps that a run takes by itself.
    pub const fn goes_on_to(self, next: RunState) -> bool {
        use RunState::*;
        matches!(
            (self, next),
            (Queued, Running | Success | Failed | Cancelled) | (Running, Success | Failed | Cancelled)
        )
    }

    /// Steps that a person makes it take: cleared, its tasks are to run again; with another task's mark, it is judged anew.
    pub const fn is_made(self, next: RunState) -> bool {
        use RunState::*;
        matches!((self, next), (Success | Failed | Cancelled, Queued) | (Success | Failed, Running))
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
        self.goes_on_to(next) || self.is_made(next)
    }

    /// Steps that a task takes by itself.
    pub const fn goes_on_to(self, next: TaskState) -> bool {
        use TaskState::*;
        matches!(
            (self, next),
            (Waiting, Ready | Skipped | UpstreamFailed | Removed)
                | (Ready, Running | Removed)
                // Back to `Ready` when the lease ended without an answer, or a sensor has to look again.
                // To `Waiting` where it has made items, and waits for them.
                | (Running, Success | Failed | Skipped | Retrying | Ready | Removed | Waiting)
                | (Retrying, Running | Removed)
        )
    }

    /// Steps that a person makes it take: marked, or cleared to run again.
    pub const fn is_made(self, next: TaskState) -> bool {
        use TaskState::*;
        match next {
            // One that is about to run is cleared with what is before it, and waits for that again.
            Waiting | Success | Failed | Skipped => self as u8 != next as u8,
            Ready => self.is_final(),
            _ => false,
        }
    }

    pub const fn is_final(self) -> bool {
        use TaskState::*;
        matches!(self, Success | Failed | Skipped | UpstreamFailed | Removed)
    }
}

#[cfg(test)]
mod tests;
