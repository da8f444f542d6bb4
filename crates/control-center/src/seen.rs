//! What was seen last of each server, and since when it is not seen any more.

use crate::{jobs::Slot, picture::Picture, schemas::Subject};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Everything that pages are made of. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub kafka: Kept<Picture>,
    pub jobs: Kept<Vec<Slot>>,
    pub schemas: Kept<Vec<Subject>>,
}

/// The last good answer of a server, and why there is no newer one.
#[derive(Debug)]
pub struct Kept<T> {
    pub good: Option<(DateTime<Utc>, Arc<T>)>,
    pub failing: Option<Failing>,
}

/// Since when a server does not answer as it should, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    pub since: DateTime<Utc>,
    pub reason: String,
}

impl<T> Kept<T> {
    /// Takes an answer in. A failure keeps the last good answer and the time of the first failure since.
    pub fn take(&mut self, at: DateTime<Utc>, answer: Result<T, String>) {
        match answer {
            Ok(value) => *self = Self { good: Some((at, Arc::new(value))), failing: None },
            Err(reason) => {
                let since = self.failing.take().map_or(at, |failing| failing.since);
                self.failing = Some(Failing { since, reason });
            }
        }
    }

    pub fn value(&self) -> Option<&T> {
        self.good.as_ref().map(|(_, value)| value.as_ref())
    }

    pub fn at(&self) -> Option<DateTime<Utc>> {
        self.good.as_ref().map(|(at, _)| *at)
    }
}

// Derived, these would ask the same of `T`.
impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { good: None, failing: None }
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { good: self.good.clone(), failing: self.failing.clone() }
    }
}

impl Seen {
    /// The schema subject of a topic's values, where the registry has one.
    pub fn subject_of(&self, topic: &str) -> Option<&Subject> {
        let subjects = self.schemas.value()?;
        subjects.iter().find(|subject| subject.name.strip_suffix("-value") == Some(topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_the_last_good_answer_and_the_time_of_the_first_failure() {
        let second = |n| DateTime::from_timestamp(n, 0).unwrap();
        let mut kept = Kept::default();
        kept.take(second(1), Ok("good"));
        kept.take(second(2), Err("away".into()));
        kept.take(second(3), Err("still away".into()));
        assert_eq!((kept.value(), kept.at()), (Some(&"good"), Some(second(1))));
        assert_eq!(kept.failing, Some(Failing { since: second(2), reason: "still away".into() }));
        kept.take(second(4), Ok("better"));
        assert_eq!((kept.value(), kept.failing.is_none()), (Some(&"better"), true));
    }
}
