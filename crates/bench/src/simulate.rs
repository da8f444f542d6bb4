//! Histories of the scheduler's protocol with crashes, by the million: without a database, each from its seed.

use crate::report::Report;
use anyhow::Context;
use model::{
    Guards,
    machine::history::{self, Seen},
};
use std::{thread, time::Instant};

/// Plays `histories` of them, from the seed `from`.
pub fn run(histories: usize, from: u64) -> anyhow::Result<Report> {
    let mut report = Report::new("simulate-scheduler");
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let (started, until) = (Instant::now(), from + histories as u64);
    let parts = thread::scope(|scope| {
        let play =
            |first: u64| move || (first..until).step_by(threads as usize).try_fold(Seen::default(), add);
        let parts: Vec<_> = (0..threads).map(|thread| scope.spawn(play(from + thread))).collect();
        parts.into_iter().map(|part| part.join().ok().context("a thread panicked")).collect::<Vec<_>>()
    });
    let mut all = Seen::default();
    for part in parts {
        all = sum(all, part?.map_err(|cause| anyhow::anyhow!("a promise was broken: {cause}"))?);
    }
    let seconds = started.elapsed().as_secs_f64();
    report.add("histories without a broken promise", histories as f64, "", None);
    report.add("steps", all.steps as f64, "", None);
    report.add("runs, all ended", all.runs as f64, "", None);
    report.add("late answers, all refused", all.refused as f64, "", None);
    report.add("tasks taken from lost holders", all.rescued as f64, "", None);
    report.add("tasks cleared or marked by hand", all.by_hand as f64, "", None);
    report.add("histories", histories as f64 / seconds, "1/s", None);
    Ok(report.done())
}

fn add(all: Seen, seed: u64) -> Result<Seen, String> {
    history::play(seed, Guards::default()).map(|seen| sum(all, seen))
}

fn sum(one: Seen, other: Seen) -> Seen {
    Seen {
        steps: one.steps + other.steps,
        runs: one.runs + other.runs,
        ended: one.ended + other.ended,
        refused: one.refused + other.refused,
        rescued: one.rescued + other.rescued,
        by_hand: one.by_hand + other.by_hand,
    }
}
