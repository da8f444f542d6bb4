//! Limits that are reached: memory, and the size of files. Set from outside, on one running process.

use crate::{clean, scenes::WORKERS};
use anyhow::Context;
use checker::load::Load;
use e2e::{Fleet, REST_MAX, Signal, Story, evidence::By};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::time::Duration;

/// Whoever may have no more of something asks for it within this.
const MEETS_WITHIN: Duration = Duration::from_secs(60);

/// What a process has is all that it gets.
fn limit(pid: u32, resource: Resource, most: u64) -> anyhow::Result<()> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a process id")?;
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    prlimit(Some(raw), resource, limit).with_context(|| format!("limit {resource:?} of process {pid}"))?;
    Ok(())
}

/// A worker gets no more memory: it dies of it, is started again, and nothing is lost or doubled.
pub async fn a_worker_gets_no_more_memory(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "memory").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    for name in WORKERS {
        limit(fleet.pid(name).context("a worker")?, Resource::Data, 1 << 20)?;
    }
    let died = async {
        for name in WORKERS {
            // Many at once, so that more memory is asked for; with keys of their own.
            let run = format!("{}-{name}", story.run);
            let much = Load { run, lanes: 20, records_per_request: 400, ..story.events() };
            story.burst(&much, 2).await?;
            let dies = || async { fleet.has_ended(name) };
            fleet.within(MEETS_WITHIN, &format!("{name} dies of its limit"), dies).await?;
        }
        anyhow::Ok(())
    };
    let died = died.await;
    for name in WORKERS {
        let _ = fleet.kill(name);
        fleet.start_one(name, "")?;
    }
    died?;
    story.goes_on(100).await?;
    clean(story.check(By::Ours, REST_MAX).await?)
}

/// The broker can't write to its log any more, as when its disk is full: it gives up, comes back, and nothing is lost.
pub async fn a_broker_has_no_room(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "room").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    let (pid, _) = fleet.server("kafka")?;
    limit(pid, Resource::Fsize, 64 << 10)?;
    let gone = fleet
        .within(MEETS_WITHIN, "the broker gives up", || async {
            fleet.server("kafka").is_ok_and(|(now, _)| now != pid)
        })
        .await;
    if gone.is_err() {
        // One that goes on without its log can't be limited less again: its death ends that.
        fleet.signal_server("kafka", Signal::KILL)?;
    }
    fleet.server_is_back("kafka", pid).await?;
    gone?;
    story.goes_on(200).await?;
    clean(story.check(By::Console, REST_MAX).await?)
}
