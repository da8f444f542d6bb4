//! Our own processes: killed, asked to end, stopped for so long that others take over.

use crate::{
    clean,
    scenes::{self, Zombie},
};
use anyhow::bail;
use e2e::{Fleet, REST_MAX, Story, chaos, evidence::By};
use std::time::Duration;

/// Kills of the short form; `millrace bench chaos` makes more.
const KILLS: usize = 20;
const SEED: u64 = 1;
/// A transaction that nobody ends is ended by the broker after ten seconds; it looks each second. The goal is 11 s; a busy machine
/// adds some.
const BLOCKED_MAX: Duration = Duration::from_secs(15);

pub async fn killed_again_and_again(fleet: &Fleet) -> anyhow::Result<String> {
    let kills = std::env::var("MILLRACE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let outcome = chaos::on(fleet, kills, SEED, By::Console).await?;
    // How fast is told beside its goal, and is no verdict: two busy cores would decide it. Who is not back within two minutes fails.
    let told = outcome.to_string();
    clean(outcome.report)?;
    Ok(told)
}

/// SIGTERM under load: each ends within 10 s with exit code 0, and nothing is lost.
pub async fn asked_to_end_under_load(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "term").await?;
    story.load(story.events());
    let mut longest = (Duration::ZERO, "");
    for name in chaos::KILLED {
        story.goes_on(100).await?;
        longest = longest.max((fleet.term(name).await?, name));
        fleet.start_one(name, "")?;
        fleet.ready(name).await?;
    }
    let report = clean(story.check(By::Ours, REST_MAX).await?)?;
    Ok(format!("longest end: {:.1?}, {}\n{report}", longest.0, longest.1))
}

/// SIGSTOP until another worker has the slots, then SIGCONT: what the zombie had in hand is tried and refused.
pub async fn a_worker_that_was_taken_for_gone(fleet: &Fleet) -> anyhow::Result<String> {
    // It may have been stopped in the one moment in which it had nothing in hand; then once more.
    for _ in 0..3 {
        let Zombie { refused, taken_over, blocked, report } = scenes::zombie(fleet, "").await?;
        let report = clean(report)?;
        if blocked > BLOCKED_MAX {
            bail!("readers waited {blocked:.1?} for what the zombie had left open, at most {BLOCKED_MAX:?}");
        }
        if refused > 0 {
            return Ok(format!(
                "taken over after {taken_over:.1?}; readers waited {blocked:.1?}; {refused} writes of the zombie refused\n{report}"
            ));
        }
    }
    bail!("the zombie never tried to write: the fence was not tested")
}
