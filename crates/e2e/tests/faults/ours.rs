//! Our own processes: killed, asked to end, stopped for so long that others take over.

use crate::{
    clean,
    scenes::{self, Zombie},
};
use anyhow::{Context, bail};
use e2e::{Fleet, REST_MAX, Story, chaos, evidence::By};
use std::{path::PathBuf, time::Duration};

/// Kills of the short form; `millrace bench chaos` makes more.
const KILLS: usize = 20;
const SEED: u64 = 1;
/// A transaction that nobody ends is ended by the broker after ten seconds (`kafka::transactional::OPEN_MAX`), of which a reader may have
/// to wait eleven; the broker looks once a second (`transaction.abort.timed.out.transaction.cleanup.interval.ms`), and so may add one.
const BLOCKED_MAX: Duration = Duration::from_secs(11 + 1);
/// A reader that never waited for longer than this has met no open transaction.
const BLOCKED_MIN: Duration = Duration::from_secs(1);

/// How many kills are made.
pub fn kills() -> usize {
    std::env::var("MILLRACE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS)
}

/// Nothing lost, and all kinds of processes back in time.
pub async fn killed_again_and_again(fleet: &Fleet) -> anyhow::Result<String> {
    let outcome = chaos::on(fleet, kills(), SEED, By::Console).await?;
    let (told, slow) = (outcome.to_string(), outcome.too_slow());
    clean(outcome.report)?;
    if !slow.is_empty() {
        bail!("{}\n{told}", slow.join("\n"));
    }
    Ok(told)
}

/// Both workers are stopped in the middle of a transaction and nobody takes over: readers wait for the broker to end it, and no longer.
pub async fn transactions_are_left_open(fleet: &Fleet) -> anyhow::Result<String> {
    let (blocked, report) = scenes::workers_stopped_with_open_transactions(fleet).await?;
    let report = clean(report)?;
    if blocked < BLOCKED_MIN || blocked > BLOCKED_MAX {
        bail!(
            "readers waited {blocked:.1?}: more than {BLOCKED_MIN:?} and at most {BLOCKED_MAX:?} are right"
        );
    }
    Ok(format!("readers waited {blocked:.1?} for the broker to end what was left open\n{report}"))
}

/// SIGTERM under load: each ends within 10 s with exit code 0, and nothing is lost.
pub async fn asked_to_end_under_load(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "term").await?;
    story.load(story.events());
    let mut longest = (Duration::ZERO, "");
    for name in chaos::KILLED {
        story.goes_on(100).await?;
        if scenes::WORKERS.contains(&name) {
            only_its_log(fleet, name)?;
        }
        longest = longest.max((fleet.term(name).await?, name));
        fleet.start_one(name, "")?;
        fleet.ready(name).await?;
    }
    let report = clean(story.check(By::Ours, REST_MAX).await?)?;
    Ok(format!("longest end: {:.1?}, {}\n{report}", longest.0, longest.1))
}

/// A worker has no state on disk: of all files it writes only its log. What the state folder loses is nothing of it, therefore.
fn only_its_log(fleet: &Fleet, name: &str) -> anyhow::Result<()> {
    let process = PathBuf::from(format!("/proc/{}", fleet.pid(name).context("it runs")?));
    let mut logs = 0;
    for entry in std::fs::read_dir(process.join("fd"))?.flatten() {
        let Ok(file) = std::fs::read_link(entry.path()) else { continue };
        let told =
            std::fs::read_to_string(process.join("fdinfo").join(entry.file_name())).unwrap_or_default();
        let flags = told.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok()).unwrap_or(0);
        let is_written = flags & WRITE_FLAGS != 0 && file.is_absolute() && !file.starts_with("/dev");
        match is_written {
            true if file.ends_with(format!("{name}.log")) => logs += 1,
            true => bail!("{name} writes to {}", file.display()),
            false => {}
        }
    }
    if logs == 0 {
        bail!("{name} does not even write its log: nothing was looked at");
    }
    Ok(())
}

/// `O_WRONLY` and `O_RDWR`.
const WRITE_FLAGS: u32 = 0o3;

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
