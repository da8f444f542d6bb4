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
pub const KILLED: [&str; 9] = [
    "producer",
    "worker-1",
    "cassandra-sink",
    "postgres-sink",
    "fetcher",
    "scheduler",
    "worker-2",
    "coordinator",
    "control-center",
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

/// A kill may take so many times its goal, once in a while: debug builds, beside servers, a load and perhaps a compiler on two cores.
pub const SLOWER_MAX: u32 = 3;

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

impl Outcome {
    /// What took too long, all processes taken together: half of all recoveries keep their goal, and none takes [`SLOWER_MAX`] times that.
    pub fn too_slow(&self) -> Vec<String> {
        let all =
            self.recovered.iter().flat_map(|(name, times)| times.iter().map(move |time| (*name, *time)));
        let mut shares: Vec<(f64, &str, Duration)> = all
            .map(|(name, time)| (time.as_secs_f64() / back_within(name).as_secs_f64(), name, time))
            .collect();
        shares.sort_by(|one, other| one.0.total_cmp(&other.0));
        let median = shares.get(shares.len().saturating_sub(1) / 2).filter(|(share, ..)| *share > 1.0);
        let told = median
            .map(|(share, ..)| format!("half of all recoveries took more than {share:.1} × their goal"));
        let longest = shares.iter().filter(|(share, ..)| *share > f64::from(SLOWER_MAX)).map(|(share, name, time)| {
            format!("{name} took {time:.1?} to its first new result, {share:.1} × its goal: at most {SLOWER_MAX} are allowed")
        });
        told.into_iter().chain(longest).collect()
    }
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
    fn recoveries_of_all_processes_are_judged_together_and_each_by_its_own_goal() {
        let outcome = |times: &[(&'static str, u64)]| {
            let mut recovered: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for (name, seconds) in times {
                recovered.entry(*name).or_default().push(Duration::from_secs(*seconds));
            }
            Outcome { kills: times.len(), seed: 1, recovered, report: Report::default() }.too_slow().len()
        };
        let cases: [(&[_], usize); 6] = [
            (&[], 0),
            (&[("producer", 2), ("fetcher", 15), ("scheduler", 5)], 0),
            (&[("producer", 1), ("worker-1", 30), ("scheduler", 5)], 0),
            (&[("producer", 1), ("worker-1", 31), ("scheduler", 5)], 1),
            (&[("producer", 3), ("worker-1", 11), ("scheduler", 5)], 1),
            (&[("producer", 7), ("worker-1", 11), ("scheduler", 5)], 2),
        ];
        for (times, expected) in cases {
            assert_eq!(outcome(times), expected, "{times:?}");
        }
    }

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
