//! Limits that are reached: memory, and the size of files. Set from outside, on one running process.

use crate::{clean, durable, scenes::WORKERS};
use anyhow::{Context, bail};
use checker::load::Load;
use e2e::{Fleet, REST_MAX, Signal, Story, evidence::By, runs};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::{
    os::unix::{fs::MetadataExt, process::CommandExt},
    process::Command,
    time::Duration,
};

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

/// A process and those that it has started.
fn family(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut family = vec![pid];
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(one) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // The parent stands behind the name in parentheses and the state. Whoever ended meanwhile needs no limit.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        if parent == Some(pid) {
            family.push(one);
        }
    }
    Ok(family)
}

/// PostgreSQL can't write any more, as when its disk is full: it gives up, comes back, and nothing is lost. Runs go on, too, each once.
pub async fn postgresql_has_no_room(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "full").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    let fault = || no_room_for_postgresql(fleet);
    runs::meanwhile(fleet, RUNS, fault()).await?;
    story.goes_on(200).await?;
    let report = clean(story.check(By::Ours, REST_MAX).await?)?;
    Ok(format!("{}\n{report}", durable::told_runs_stay(fleet, fault).await?))
}

/// Until it has given up and is back.
async fn no_room_for_postgresql(fleet: &Fleet) -> anyhow::Result<()> {
    let (pid, _) = fleet.server("postgres")?;
    for one in family(pid)? {
        if let Err(cause) = no_room_as_its_owner(one)
            && one == pid
        {
            return Err(cause);
        }
    }
    gives_up(fleet, "postgres", pid).await
}

/// [`limit`] of a process that belongs to another user, as PostgreSQL does: even root may not do that everywhere, its owner may.
fn no_room_as_its_owner(pid: u32) -> anyhow::Result<()> {
    let owner = std::fs::metadata(format!("/proc/{pid}"))?;
    let mut command = Command::new("prlimit");
    command.args(["--pid", &pid.to_string()]).arg(format!("--fsize={ROOM_BYTES}:{ROOM_BYTES}"));
    let output = command.uid(owner.uid()).gid(owner.gid()).output().context("run prlimit")?;
    if !output.status.success() {
        bail!("limit the files of process {pid}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Of a file. Whatever is written is longer already.
const ROOM_BYTES: u64 = 64 << 10;
const RUNS: usize = 20;

/// The broker can't write to its log any more, as when its disk is full: it gives up, comes back, and nothing is lost.
pub async fn a_broker_has_no_room(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "room").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    let (pid, _) = fleet.server("kafka")?;
    limit(pid, Resource::Fsize, ROOM_BYTES)?;
    gives_up(fleet, "kafka", pid).await?;
    story.goes_on(200).await?;
    clean(story.check(By::Console, REST_MAX).await?)
}

/// Waits until a server that has no room gives up, and is back.
async fn gives_up(fleet: &Fleet, server: &str, pid: u32) -> anyhow::Result<()> {
    let gone = || async { fleet.server(server).is_ok_and(|(now, _)| now != pid) };
    let gone = fleet.within(MEETS_WITHIN, &format!("{server} gives up"), gone).await;
    if gone.is_err() {
        // One that goes on can't be limited less again: its death ends that.
        fleet.signal_server(server, Signal::KILL)?;
    }
    fleet.server_is_back(server, pid).await?;
    gone
}
