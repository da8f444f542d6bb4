//! Which messages are asked for, and where they are. Pure.

use super::Message;
use std::{collections::HashMap, str::FromStr};
use wire::passed::Offsets;

/// What a reader of the page has asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// All partitions where absent.
    pub partition: Option<i32>,
    pub place: Place,
    /// As many as a page shows by default where absent.
    pub limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The last ones.
    #[default]
    Newest,
    /// The last ones before this offset.
    Before(i64),
    /// From this offset on.
    From(i64),
}

/// What is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub ranges: Vec<Range>,
    /// Messages to show.
    pub limit: usize,
    /// Whether the last messages of each range are wanted, or its first.
    pub last: bool,
    /// Whether one partition was asked for, so that there is an older and a newer side.
    pub one: bool,
}

/// Offsets `from..to` of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub partition: i32,
    pub from: i64,
    pub to: i64,
}

pub const LIMIT: usize = 50;

impl Asked {
    /// Reads `partition`, `offset`, `before`, `limit`. An empty field of a form counts as absent.
    pub fn parse(query: &HashMap<String, String>) -> Result<Self, String> {
        let partition = number(query, "partition")?;
        let place = match (number(query, "offset")?, number(query, "before")?) {
            (None, None) => Place::Newest,
            (Some(_), Some(_)) => return Err("Give either offset or before, not both.".into()),
            _ if partition.is_none() => {
                return Err("An offset has a meaning only in a partition: choose one.".into());
            }
            (Some(offset), None) => Place::From(offset),
            (None, Some(before)) => Place::Before(before),
        };
        Ok(Self { partition, place, limit: number(query, "limit")? })
    }

    /// Where to read, so that `limit` messages are found; the sentence says why it can't be read.
    pub fn window(&self, messages_max: usize, first: &Offsets, end: &Offsets) -> Result<Window, String> {
        let limit = self.limit.unwrap_or(LIMIT).clamp(1, messages_max.max(1));
        if let Some(missing) = self.partition.filter(|partition| !end.0.contains_key(partition)) {
            let last = end.0.keys().last().copied().unwrap_or(0);
            return Err(format!("There is no partition {missing}: they are 0 to {last}."));
        }
        let chosen =
            end.0.iter().filter(|(partition, _)| self.partition.is_none_or(|only| only == **partition));
        let range = |(partition, end): (&i32, &i64)| {
            let first = first.0.get(partition).copied().unwrap_or(0).min(*end);
            let (from, to) = self.place.range(limit, first, *end);
            Range { partition: *partition, from, to }
        };
        let ranges = chosen.map(range).filter(|range| range.from < range.to).collect();
        Ok(Window {
            ranges,
            limit,
            last: !matches!(self.place, Place::From(_)),
            one: self.partition.is_some(),
        })
    }
}

impl Place {
    fn range(self, limit: usize, first: i64, end: i64) -> (i64, i64) {
        let to = match self {
            Place::Newest => end,
            Place::Before(before) => before.clamp(first, end),
            Place::From(from) => return (from.clamp(first, end), end),
        };
        // A transaction of one record is followed by its marker: so half of the offsets may be records.
        let reach = 2 * limit as i64 + 2;
        ((to - reach).max(first), to)
    }
}

impl Window {
    /// Where the partition goes on: before its oldest message shown, and behind its newest.
    pub fn next(&self, shown: &[Message], first: &Offsets, end: &Offsets) -> (Option<i64>, Option<i64>) {
        let (true, [range]) = (self.one, self.ranges.as_slice()) else { return (None, None) };
        let offsets = || shown.iter().map(|message| message.offset);
        let lowest = offsets().min().unwrap_or(range.from);
        let behind =
            offsets().max().map_or(range.to, |highest| if self.last { range.to } else { highest + 1 });
        let older = first.0.get(&range.partition).is_some_and(|first| *first < lowest).then_some(lowest);
        let newer = end.0.get(&range.partition).is_some_and(|end| behind < *end).then_some(behind);
        (older, newer)
    }
}

fn number<T: FromStr>(query: &HashMap<String, String>, name: &str) -> Result<Option<T>, String> {
    match query.get(name).map(|text| text.trim()) {
        None | Some("") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| format!("{name}: \"{text}\" is not a whole number in its range.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, String> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Asked::parse(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn ranges(query: &str) -> Result<Vec<(i32, i64, i64)>, String> {
        let (first, end) = (Offsets([(0, 100), (1, 0)].into()), Offsets([(0, 900), (1, 0)].into()));
        let window = asked(query)?.window(200, &first, &end)?;
        Ok(window.ranges.iter().map(|range| (range.partition, range.from, range.to)).collect())
    }

    /// Partition, from, to; or why it can't be read.
    type Expected = Result<&'static [(i32, i64, i64)], &'static str>;

    #[test]
    fn what_is_asked_for_becomes_a_range_that_exists() {
        let cases: [(&str, Expected); 10] = [
            ("partition=&offset=&limit=", Ok(&[(0, 798, 900)])),
            ("limit=10", Ok(&[(0, 878, 900)])),
            ("limit=100000", Ok(&[(0, 498, 900)])),
            ("partition=0&before=130&limit=10", Ok(&[(0, 108, 130)])),
            ("partition=0&before=110&limit=10", Ok(&[(0, 100, 110)])),
            ("partition=0&offset=5", Ok(&[(0, 100, 900)])),
            ("partition=1", Ok(&[])),
            ("partition=7", Err("There is no partition 7: they are 0 to 1.")),
            ("offset=5", Err("An offset has a meaning only in a partition: choose one.")),
            ("limit=many", Err("limit: \"many\" is not a whole number in its range.")),
        ];
        for (query, expected) in cases {
            let expected = expected.map(<[_]>::to_vec).map_err(str::to_owned);
            assert_eq!(ranges(query), expected, "{query}");
        }
    }
}
