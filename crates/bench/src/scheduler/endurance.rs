//! Many tasks in a row: whether the scheduler's memory grows with what it has done.

use super::{Bench, FLAT, dags};
use crate::{
    report::Report,
    stand::{Stand, With, until},
};
use anyhow::Context;
use std::path::Path;

/// Tasks between two looks at the memory.
const LOOK_EVERY: usize = 25_000;
/// Of the tasks: until then caches and pools fill.
const WARM: f64 = 0.2;
const MIB: f64 = 1024.0 * 1024.0;

/// Runs so many tasks that do nothing, and looks at the scheduler's resident memory meanwhile.
pub async fn run(folder: &Path, tasks: usize) -> anyhow::Result<Report> {
    let mut report = Report::new("endurance");
    let stand = Stand::start(folder, With::Nothing).await?;
    stand.pipeline(&[("dags/flat.toml", &dags::flat(dags::Does::Nothing, FLAT))])?;
    let bench = Bench { pool: stand.postgres("millrace").await?, stand };
    until("the DAG is published", async || Ok(bench.trigger("flat").await.is_ok())).await?;
    let bar = indicatif::ProgressBar::new(tasks as u64).with_message("tasks");
    let (mut looks, mut seconds) = (vec![], 0.0);
    for done in (0..tasks).step_by(LOOK_EVERY) {
        seconds += bench.many("flat", LOOK_EVERY / FLAT).await?;
        bar.inc(LOOK_EVERY as u64);
        looks.push(((done + LOOK_EVERY) as f64, resident(&bench.stand)?));
    }
    bar.finish_and_clear();
    let warm: Vec<(f64, f64)> =
        looks.iter().filter(|(done, _)| *done >= tasks as f64 * WARM).copied().collect();
    let (first, last) = (warm.first().context("no look")?, warm.last().context("no look")?);
    let most = looks.iter().map(|(_, mib)| *mib).fold(0.0, f64::max);
    report.add("tasks", last.0, "", None);
    report.add("tasks a second", last.0 / seconds, "1/s", None);
    report.add(format!("resident after {} tasks", first.0), first.1, "MiB", None);
    report.add("resident at the end", last.1, "MiB", None);
    report.add("most", most, "MiB", None);
    report.add_less("slope behind the first fifth", slope(&warm) * 100_000.0, "MiB/100,000", Some(0.1));
    bench.stand.stop()?;
    Ok(report.done())
}

fn resident(stand: &Stand) -> anyhow::Result<f64> {
    let all = stand.resident()?;
    let (.., bytes) =
        all.iter().find(|(name, ..)| name == "scheduler").context("the scheduler does not run")?;
    Ok(*bytes as f64 / MIB)
}

/// Of the straight line that is nearest to the points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let up: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let along: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    up / along
}
