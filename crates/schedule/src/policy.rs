//! What happens to times that passed while nobody looked.

use crate::every::Every;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::{num::NonZeroU16, time::Duration};

/// Which of the missed times are run. In a file: `"none"`, `"latest"`, `"all"` or `{ max = 5 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Catchup {
    /// None of them.
    None,
    /// The latest of them. Airflow's `catchup=False`.
    #[default]
    Latest,
    /// Each of them, oldest first.
    All,
    /// The latest so many of them, oldest first.
    Max(NonZeroU16),
}

/// What happens to the times that passed while the DAG was paused, whatever [`Catchup`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnpause {
    /// They are not run: it goes on with the next time.
    Next,
    /// The latest of them is run.
    Latest,
}

/// Whether a DAG that was just published, and has neither history nor `start`, waits for its next time. In a file: `true`, `false` or
/// `"10m"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunImmediately {
    #[default]
    No,
    /// It runs now, for the newest of its times, however long ago that was. Airflow's `run_immediately=True`.
    Now,
    /// It runs now, for the newest of its times, if that is not longer ago.
    Within(Duration),
}

impl<'de> Deserialize<'de> for RunImmediately {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "true, false, or a duration such as \"10m\"")]
        enum Spelled {
            Is(bool),
            Within(String),
        }
        let text = match Spelled::deserialize(from)? {
            Spelled::Is(now) => return Ok(if now { Self::Now } else { Self::No }),
            Spelled::Within(text) => text,
        };
        let seconds = match Every::parse(&text).map_err(D::Error::custom)? {
            Every::Seconds(seconds) => seconds,
            Every::Days(days) => days * 24 * 3600,
            Every::Months(_) => {
                return Err(D::Error::custom(format!("a month has no length: \"{text}\"; write days")));
            }
        };
        Ok(Self::Within(Duration::from_secs(seconds.unsigned_abs())))
    }
}
