//! Kills under load for a whole night, if need be; afterwards every id is looked for.

use crate::report::Report;
use e2e::chaos;

pub async fn run(kills: usize, seed: u64) -> anyhow::Result<Report> {
    let mut report = Report::new("chaos");
    let outcome = chaos::run(kills, seed).await?;
    for (name, times) in &outcome.recovered {
        for percent in [50, 95] {
            let what = format!("{name}, kill to first new result, p{percent} of {}", times.len());
            let goal = chaos::back_within(name).as_secs_f64();
            report.add_less(what, chaos::percentile(times, percent).as_secs_f64(), "s", Some(goal));
        }
    }
    let findings = outcome.report.findings.len();
    report.add_less("lost, doubled, stale, out of order", findings as f64, "findings", Some(0.0));
    report.failed = findings > 0;
    report.note(format!("{} kills, seed {}: {}", outcome.kills, outcome.seed, outcome.report));
    Ok(report.done())
}
