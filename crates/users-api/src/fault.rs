//! Misbehaviour on demand.

use crate::random;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// What can go wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 429 with `Retry-After: 1`.
    TooMany,
    ServerError,
    /// The head comes at once, the body some seconds later.
    Slow,
    /// 200 with no users.
    Empty,
    /// 200 with half of the JSON.
    BadJson,
    /// A body that does not end.
    Endless,
    /// The connection breaks in the middle of the body.
    Reset,
}

const KINDS: [(&str, Kind); 7] = [
    ("429", Kind::TooMany),
    ("500", Kind::ServerError),
    ("slow", Kind::Slow),
    ("empty", Kind::Empty),
    ("badjson", Kind::BadJson),
    ("endless", Kind::Endless),
    ("reset", Kind::Reset),
];

/// Which faults happen, and how often.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(Vec<(Kind, f64)>);

/// Why a list of faults can't be used.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum FaultError {
    #[error("there is no fault \"{found}\": there are 429, 500, slow, empty, badjson, endless, reset")]
    Unknown { found: String },
    #[error("\"{found}\" is not a fault: write kind:probability, such as 500:0.05")]
    Malformed { found: String },
    #[error("the probabilities add up to {sum}: they may not be more than 1")]
    TooMuch { sum: f64 },
}

impl Faults {
    /// Reads `429:0.1,500:0.05`. The empty text is no fault at all.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let faults = items.map(one).collect::<Result<Vec<_>, _>>()?;
        let sum: f64 = faults.iter().map(|(_, probability)| probability).sum();
        // A little more for 0.1 + 0.2 + …
        if sum > 1.0 + 1e-9 { Err(FaultError::TooMuch { sum }) } else { Ok(Self(faults)) }
    }

    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Decides about one attempt at one page. The same five give the same answer; another attempt is another throw, so
    /// that who tries again comes through.
    pub fn strike(&self, fault_seed: u64, seed: &str, page: u64, attempt: u32) -> Option<Kind> {
        let words = [fault_seed.to_string(), seed.to_owned(), page.to_string(), attempt.to_string()];
        let mut left = random::part(&mut random::generator(&words.each_ref().map(String::as_str)));
        self.0.iter().find_map(|(kind, probability)| {
            left -= probability;
            (left < 0.0).then_some(*kind)
        })
    }
}

fn one(item: &str) -> Result<(Kind, f64), FaultError> {
    let malformed = || FaultError::Malformed { found: item.to_owned() };
    let (name, probability) = item.split_once(':').ok_or_else(malformed)?;
    let known = KINDS.iter().find(|(known, _)| *known == name);
    let (_, kind) = known.ok_or_else(|| FaultError::Unknown { found: name.to_owned() })?;
    let probability: f64 = probability.parse().map_err(|_| malformed())?;
    if (0.0..=1.0).contains(&probability) { Ok((*kind, probability)) } else { Err(malformed()) }
}

/// How often each page was asked for.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<(u64, String, u64), u32>>);

/// Pages that are counted. Beyond it all counts begin anew.
const PAGES_MAX: usize = 65_536;

impl Attempts {
    /// Counts one more, and answers the count before.
    pub fn next(&self, fault_seed: u64, seed: &str, page: u64) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= PAGES_MAX {
            counts.clear();
        }
        let count = counts.entry((fault_seed, seed.to_owned(), page)).or_insert(0);
        *count += 1;
        *count - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_or_told_why_not() {
        let unknown = |found: &str| Err(FaultError::Unknown { found: found.into() });
        let malformed = |found: &str| Err(FaultError::Malformed { found: found.into() });
        let cases = [
            ("", Ok(Faults::default())),
            ("429:0.1, slow:0.9", Ok(Faults(vec![(Kind::TooMany, 0.1), (Kind::Slow, 0.9)]))),
            ("418:0.1", unknown("418")),
            ("500", malformed("500")),
            ("500:often", malformed("500:often")),
            ("500:NaN", malformed("500:NaN")),
            ("500:1,reset:0.5", Err(FaultError::TooMuch { sum: 1.5 })),
        ];
        for (text, expected) in cases {
            assert_eq!(Faults::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn faults_happen_as_often_as_asked_and_the_same_again() {
        let faults = Faults::parse("429:0.1,500:0.05,reset:0.01").unwrap();
        let strikes = || (0..20_000).map(|page| faults.strike(7, "seed", page, 0)).collect::<Vec<_>>();
        let found = strikes();
        let share =
            |kind| found.iter().filter(|strike| **strike == Some(kind)).count() as f64 / found.len() as f64;
        for (kind, expected) in
            [(Kind::TooMany, 0.1), (Kind::ServerError, 0.05), (Kind::Reset, 0.01), (Kind::Slow, 0.0)]
        {
            assert!((share(kind) - expected).abs() < 0.005, "{kind:?}: {}", share(kind));
        }
        assert_eq!(found, strikes());
    }

    #[test]
    fn who_tries_again_comes_through() {
        let (faults, attempts) = (Faults::parse("500:0.5").unwrap(), Attempts::default());
        for page in 0..100 {
            assert!((0..40).any(|_| faults.strike(1, "s", page, attempts.next(1, "s", page)).is_none()));
        }
    }
}
