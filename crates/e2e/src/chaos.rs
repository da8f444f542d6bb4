//! Kills under load, spread over all kinds of our processes: short in `make test`, for a night in `millrace bench chaos`.

use crate::{
    Fleet,
    evidence::By,
    probe::first_result,
    story::{REST_MAX, Story},
};
use anyhow::bail;
use checker::Report;
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

/// What is killed in turn.
pub const KILLED: [&str; 8] = [
    "producer",
    "worker-1",
    "cassandra-sink",
    "postgres-sink",
    "fetcher",
    "scheduler",
    "worker-2",
    "coordinator",
];

/// The goal: from kill to first new result, at most, on a quiet machine.
pub fn back_within(name: &str) -> Duration {
    Duration::from_secs(match name {
        "producer" => 2,
        "scheduler" => 5,
        "fetcher" => 15,
        _ => 10,
    })
}

/// What came of it.
pub struct Outcome {
    pub kills: usize,
    pub seed: u64,
    /// From kill to first new result, by process, in the order of the kills.
    pub recovered: BTreeMap<&'static str, Vec<Duration>>,
    pub report: Report,
}

/// Starts a fleet, kills, checks, stops the fleet. What `millrace bench chaos` calls.
pub async fn run(kills: usize, seed: u64) -> anyhow::Result<Outcome> {
    let fleet = Fleet::start("chaos", 1).await?;
    on(&fleet, kills, seed, By::Console).await
}

/// Kills on a fleet that runs. Each process is started again at once, as its supervisor would.
pub async fn on(fleet: &Fleet, kills: usize, seed: u64, by: By) -> anyhow::Result<Outcome> {
    let mut random = rand_pcg::Pcg64::seed_from_u64(seed);
    let mut recovered: BTreeMap<&'static str, Vec<Duration>> = BTreeMap::new();
    let mut story = Story::begin(fleet, "kills").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    let mut order = vec![];
    for _ in 0..kills {
        if order.is_empty() {
            order = KILLED.to_vec();
            order.shuffle(&mut random);
        }
        let Some(name) = order.pop() else { break };
        // Never at the same point of a commit interval.
        tokio::time::sleep(Duration::from_millis(random.random_range(100..600))).await;
        let pid = fleet.kill(name)?;
        let since = Instant::now();
        fleet.start_one(name, "")?;
        if fleet.pid(name) == Some(pid) {
            bail!("{name} was not killed: it still has the process id {pid}");
        }
        recovered.entry(name).or_default().push(first_result(fleet, name, since).await?);
    }
    story.goes_on(200).await?;
    let report = story.check(by, REST_MAX).await?;
    Ok(Outcome { kills, seed, recovered, report })
}

/// The value that so many percent do not exceed.
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or_default()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} kills, seed {}; from kill to first new result:", self.kills, self.seed)?;
        for (name, times) in &self.recovered {
            let (p50, p95) = (percentile(times, 50), percentile(times, 95));
            let (kills, goal) = (times.len(), back_within(name));
            let late = if percentile(times, 90) > goal { ": missed" } else { "" };
            writeln!(
                f,
                "  {name:<16} {kills:>3} kills  p50 {p50:>7.1?}  p95 {p95:>7.1?}  goal {goal:?}{late}"
            )?;
        }
        write!(f, "{}", self.report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<Duration> = (1..=10).rev().map(Duration::from_secs).collect();
        let cases = [(50, 5), (90, 9), (95, 10), (100, 10), (1, 1)];
        for (percent, expected) in cases {
            assert_eq!(percentile(&times, percent), Duration::from_secs(expected), "p{percent}");
        }
        assert_eq!(percentile(&[], 95), Duration::ZERO);
    }
}
