//! Each guard is needed: its scene is good with it, and without it the checker finds the damage that it stands against.

use crate::scenes::{self, Ended};
use anyhow::bail;
use checker::Report;
use e2e::{Fleet, say};
use model::guard::BREAKS;
use std::time::Instant;

/// Guards of runs and tasks: `crates/queue/src/tests/faults.rs` and `crates/e2e/tests/executors.rs` take them away, one the story
/// `hints`, and for what a DAG may ask for `crates/pipeline/src/task/tests.rs` and `crates/scheduler/src/foreach.rs`.
const OF_RUNS: [&str; 11] = [
    "any-attempt",
    "no-run-key",
    "no-claim-lock",
    "run-in-parts",
    "no-warden",
    "only-hints",
    "whole-lines",
    "large-results",
    "many-tasks",
    "many-items",
    "empty-foreach",
];

/// What the checker must find without each guard: one of these kinds.
const DAMAGE: [(&str, &[&str]); BREAKS.len() - OF_RUNS.len()] = [
    ("ack-early", &["lost in the input"]),
    ("commit-before-write", &["lost in table events_by_id"]),
    ("no-transaction", &["doubled in the output"]),
    ("no-fence", &["doubled in the output"]),
    ("server-timestamp", &["stale in table events_by_key"]),
    // One record of each partition is read again, and some records are dead.
    ("offset-minus-one", &["doubled in the output", "doubled in the dead letters"]),
    ("no-recycle", &["lost in the output"]),
    ("cursor-before-ack", &["lost in the topic"]),
    ("no-flush-on-stop", &["lost in table events_by_id"]),
    ("drop-dead-letters", &["lost in the dead letters"]),
];

async fn scene(fleet: &Fleet, of: &str, breaks: &str) -> anyhow::Result<Report> {
    match of {
        "ack-early" => scenes::producer_killed_before_the_broker_answers(fleet, breaks).await,
        "commit-before-write" => {
            scenes::sink_ends_before_the_store_answers(fleet, breaks, Ended::Killed).await
        }
        "no-transaction" | "offset-minus-one" => scenes::workers_killed(fleet, breaks).await,
        "no-fence" => Ok(scenes::zombie(fleet, breaks).await?.report),
        "server-timestamp" => scenes::a_batch_full_of_one_key(fleet, breaks).await,
        "no-recycle" => scenes::transactions_time_out(fleet, breaks, scenes::STILL).await,
        "cursor-before-ack" => scenes::fetcher_killed_before_the_producer_answers(fleet, breaks).await,
        "no-flush-on-stop" => scenes::sink_ends_before_the_store_answers(fleet, breaks, Ended::Asked).await,
        "drop-dead-letters" => scenes::dead_letters(fleet, breaks).await,
        other => bail!("there is no scene for the guard \"{other}\""),
    }
}

/// Scenes that another story, or another guard, has told with all guards already.
const TOLD_BEFORE: [&str; 3] = ["no-fence", "no-recycle", "offset-minus-one"];

pub async fn each_guard_is_needed(fleet: &Fleet) -> anyhow::Result<String> {
    let asked = std::env::var("MILLRACE_GUARDS").unwrap_or_default();
    let mut told = vec![];
    let is_asked = |name: &str| asked.is_empty() || asked.split(',').any(|one| one == name);
    for (name, _) in BREAKS.iter().filter(|(name, _)| is_asked(name) && !OF_RUNS.contains(name)) {
        let started = Instant::now();
        if !TOLD_BEFORE.contains(name) {
            let with = scene(fleet, name, "").await?;
            if !with.is_clean() {
                bail!("{name}: with all guards: {with}");
            }
        }
        let without = scene(fleet, name, name).await?;
        let Some((_, damage)) = DAMAGE.iter().find(|(known, _)| known == name) else {
            bail!("{name}: nobody says what must be found without it");
        };
        if !damage.iter().any(|kind| without.kinds().contains_key(*kind)) {
            bail!("{name}: without it {damage:?} is not found: the scene tests nothing. {without}");
        }
        let kinds: Vec<String> = without.kinds().iter().map(|(kind, n)| format!("{n} × {kind}")).collect();
        say(&format!("    without {name}: {}, {} s", kinds.join(", "), started.elapsed().as_secs()));
        told.push(*name);
    }
    Ok(format!("{} guards taken away, each one missed: {}", told.len(), told.join(", ")))
}
