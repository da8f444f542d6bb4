//! The check: what was told against what is there. Pure.

use crate::{Evidence, Fate, Finding, Ledger, Marker, Message, Outcome, Report, Shape, Table, Window};
use std::collections::{BTreeMap, BTreeSet};

/// Compares a ledger with the evidence, station by station: what comes before is the measure of what comes after.
pub fn check(ledger: &Ledger, evidence: &Evidence) -> Report {
    let mut report = Report { looked_at: looked_at(ledger, evidence), ..Report::default() };
    let found = &mut report.findings;
    found.extend(ledger.damaged.iter().map(|id| Finding::DamagedLedger { id: id.clone() }));
    acknowledged(ledger, &evidence.input, found);
    passed_on("the output", Fate::Clean, &evidence.input, &evidence.clean, found);
    passed_on("the dead letters", Fate::Dead, &evidence.input, &evidence.dead, found);
    balance(evidence, found);
    order("the input", &evidence.input, found);
    order("the output", &evidence.clean, found);
    evidence.tables.iter().for_each(|table| stored(table, &evidence.clean, found));
    windows(evidence, found);
    places(evidence, found);
    found.extend(markers(&evidence.markers));
    report
}

/// What is in one place and not in the other, where ids are all that is known.
pub fn same(place: &str, expected: &BTreeSet<String>, there: &BTreeSet<String>) -> Vec<Finding> {
    let lost = expected.difference(there).map(|id| Finding::Lost { id: id.clone(), place: place.into() });
    let phantom =
        there.difference(expected).map(|id| Finding::Phantom { id: id.clone(), place: place.into() });
    lost.chain(phantom).collect()
}

/// What is in one place more or less often than in another, repeats counted.
pub fn as_often(place: &str, before: &[String], after: &[String]) -> Vec<Finding> {
    let count = |ids: &[String]| {
        let mut times = BTreeMap::<String, usize>::new();
        ids.iter().for_each(|id| *times.entry(id.clone()).or_default() += 1);
        times
    };
    let (before, after) = (count(before), count(after));
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let judge = |id: &String| {
        let (expected, times) = (before.get(id).copied().unwrap_or(0), after.get(id).copied().unwrap_or(0));
        let (id, place) = (id.clone(), place.to_owned());
        match (expected, times) {
            _ if times < expected => Some(Finding::Lost { id, place }),
            (0, 1..) => Some(Finding::Phantom { id, place }),
            _ if times > expected => Some(Finding::Doubled { id, place, times }),
            _ => None,
        }
    };
    all.into_iter().filter_map(judge).collect()
}

fn looked_at(ledger: &Ledger, evidence: &Evidence) -> BTreeMap<&'static str, u64> {
    let rows = evidence.tables.iter().map(|table| table.rows.len()).sum::<usize>();
    [
        ("operations", ledger.operations.len()),
        ("acknowledged", ledger.count(Outcome::Ok)),
        ("unknown", ledger.count(Outcome::Unknown)),
        ("in the input", evidence.input.len()),
        ("in the output", evidence.clean.len()),
        ("dead", evidence.dead.len()),
        ("rows", rows),
        ("windows", evidence.windows.as_ref().map_or(0, Vec::len)),
        ("markers", evidence.markers.len()),
    ]
    .map(|(what, n)| (what, n as u64))
    .into()
}

/// The input holds what was acknowledged, once, and nothing that was refused or never sent. The client sends nothing twice.
fn acknowledged(ledger: &Ledger, input: &[Message], found: &mut Vec<Finding>) {
    let place = || "the input".to_owned();
    let times = count(input.iter());
    for (id, (_, outcome)) in &ledger.operations {
        if *outcome == Outcome::Ok && !times.contains_key(id.as_str()) {
            found.push(Finding::Lost { id: id.clone(), place: place() });
        }
    }
    for message in input {
        match ledger.operations.get(&message.event.id) {
            None | Some((_, Outcome::Fail)) => {
                found.push(Finding::Phantom { id: message.event.id.clone(), place: place() })
            }
            Some((sent, _)) if *sent != message.event => {
                found.push(Finding::Altered { id: message.event.id.clone(), place: place() })
            }
            Some(_) => {}
        }
    }
    for (id, times) in times.into_iter().filter(|(_, times)| *times > 1) {
        found.push(Finding::Doubled { id: id.into(), place: place(), times });
    }
}

/// Each event of this fate is there as often as it is in the input, with the same values, and no other event is.
fn passed_on(place: &str, fate: Fate, input: &[Message], output: &[Message], found: &mut Vec<Finding>) {
    let place = || place.to_owned();
    let before = count(input.iter().filter(|message| message.event.fate == fate));
    let after = count(output.iter());
    for (id, times) in &before {
        let there = after.get(id).copied().unwrap_or(0);
        match there.cmp(times) {
            std::cmp::Ordering::Less => found.push(Finding::Lost { id: (*id).into(), place: place() }),
            std::cmp::Ordering::Greater => {
                found.push(Finding::Doubled { id: (*id).into(), place: place(), times: there })
            }
            std::cmp::Ordering::Equal => {}
        }
    }
    let sent: BTreeMap<&str, &Message> =
        input.iter().map(|message| (message.event.id.as_str(), message)).collect();
    for message in output {
        let id = message.event.id.clone();
        match sent.get(id.as_str()) {
            _ if !before.contains_key(id.as_str()) => found.push(Finding::Phantom { id, place: place() }),
            Some(sent) if sent.event != message.event => found.push(Finding::Altered { id, place: place() }),
            _ => {}
        }
    }
}

fn count<'a>(messages: impl Iterator<Item = &'a Message>) -> BTreeMap<&'a str, usize> {
    let mut times = BTreeMap::new();
    messages.for_each(|message| *times.entry(message.event.id.as_str()).or_default() += 1);
    times
}

fn balance(evidence: &Evidence, found: &mut Vec<Finding>) {
    let filtered =
        evidence.input.iter().filter(|message| message.event.fate == Fate::Filtered).count() as u64;
    let (input, clean, dead, late) =
        (evidence.input.len() as u64, evidence.clean.len() as u64, evidence.dead.len() as u64, evidence.late);
    if input != clean + dead + filtered + late {
        found.push(Finding::Unbalanced { input, clean, dead, filtered, late });
    }
}

/// Per key, later in a partition is newer. A client that writes a key one after the other must be able to rely on it.
fn order(place: &str, messages: &[Message], found: &mut Vec<Finding>) {
    let mut sorted: Vec<&Message> = messages.iter().collect();
    sorted.sort_by_key(|message| (message.partition, message.offset));
    let mut last: BTreeMap<&str, (i32, i64)> = BTreeMap::new();
    for message in sorted {
        let (key, seq) = (message.event.key.as_str(), message.event.seq);
        match last.get(key) {
            // Another partition, a lower number, or the same record again, which is a double and no disorder.
            Some((partition, after)) if *partition != message.partition || *after > seq => {
                found.push(Finding::OutOfOrder { key: key.into(), place: place.into(), seq, after: *after })
            }
            _ => {}
        }
        last.insert(key, (message.partition, seq));
    }
}

/// The rows are those of the job's output: each event, or each key's newest.
fn stored(table: &Table, clean: &[Message], found: &mut Vec<Finding>) {
    let place = format!("table {}", table.name);
    let mut expected: BTreeMap<&str, &Message> = BTreeMap::new();
    for message in clean {
        let known =
            expected.entry(name(table.shape, &message.event.id, &message.event.key)).or_insert(message);
        if known.offset < message.offset {
            *known = message;
        }
    }
    let mut rows: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for row in &table.rows {
        rows.entry(name(table.shape, &row.id, &row.key)).or_default().push(row.seq);
    }
    for (id, message) in &expected {
        let newest = message.event.seq;
        match rows.get(id).map(Vec::as_slice) {
            None => found.push(Finding::Lost { id: (*id).into(), place: place.clone() }),
            Some([seq]) if *seq == newest => {}
            Some([seq]) => {
                found.push(Finding::Stale { key: (*id).into(), place: place.clone(), found: *seq, newest })
            }
            Some(more) => {
                found.push(Finding::Doubled { id: (*id).into(), place: place.clone(), times: more.len() })
            }
        }
    }
    let phantoms = rows.keys().filter(|id| !expected.contains_key(*id));
    found.extend(phantoms.map(|id| Finding::Phantom { id: (*id).into(), place: place.clone() }));
}

fn name<'a>(shape: Shape, id: &'a str, key: &'a str) -> &'a str {
    match shape {
        Shape::Id => id,
        Shape::Key => key,
    }
}

const MINUTE_MS: i64 = 60_000;

/// Counts of a job against those of another engine, or against plain counting.
fn windows(evidence: &Evidence, found: &mut Vec<Finding>) {
    let Some(windows) = &evidence.windows else { return };
    let counted = evidence.counted.as_deref().map_or_else(|| count_minutes(&evidence.input), by_window);
    let told = by_window(windows);
    let all: BTreeSet<&(&str, i64)> = counted.keys().chain(told.keys()).collect();
    for window in all {
        let of = |counts: &Counts| counts.get(window).copied().unwrap_or(0);
        let (n, counted) = (of(&told), of(&counted));
        if n != counted {
            found.push(Finding::WrongCount { key: window.0.into(), start: window.1, found: n, counted });
        }
    }
}

/// By key and start of the window.
type Counts<'a> = BTreeMap<(&'a str, i64), i64>;

fn by_window(windows: &[Window]) -> Counts<'_> {
    windows.iter().map(|window| ((window.key.as_str(), window.start), window.n)).collect()
}

fn count_minutes(input: &[Message]) -> Counts<'_> {
    let mut counted = Counts::new();
    for message in input {
        let start = message.event.at.div_euclid(MINUTE_MS) * MINUTE_MS;
        *counted.entry((message.event.key.as_str(), start)).or_default() += 1;
    }
    counted
}

fn places(evidence: &Evidence, found: &mut Vec<Finding>) {
    for ((group, partition), looks) in &evidence.places {
        for pair in looks.windows(2).filter(|pair| pair[1] < pair[0]) {
            found.push(Finding::WentBack {
                group: group.clone(),
                partition: *partition,
                from: pair[0],
                to: pair[1],
            });
        }
    }
}

/// All or nothing, and as the writer was told.
pub fn markers(markers: &[Marker]) -> Vec<Finding> {
    let is_right = |marker: &&Marker| match marker.outcome {
        Outcome::Ok => marker.seen == marker.written,
        Outcome::Fail => marker.seen == 0,
        Outcome::Unknown => marker.seen == 0 || marker.seen == marker.written,
    };
    let torn = |marker: &Marker| Finding::Torn {
        marker: marker.id.clone(),
        seen: marker.seen,
        written: marker.written,
    };
    markers.iter().filter(|marker| !is_right(marker)).map(torn).collect()
}

#[cfg(test)]
mod tests;
