//! `millrace down`: asks the supervisor to stop everything, and cleans up after one that was killed.

use std::path::Path;
use std::time::Duration;

use servers::{Kind, Recorded, Signal, Stack};

use crate::cli::{DownArgs, Place};
use crate::failure::Failure;
use crate::output;

/// The supervisor keeps to 15 s; a busy machine gets some more.
const SUPERVISOR_WITHIN: Duration = Duration::from_secs(20);
const CHILD_WITHIN: Duration = Duration::from_secs(5);
const KILLED_WITHIN: Duration = Duration::from_secs(5);
/// Everything that a stack puts into its home.
const CONTENTS: [&str; 7] = ["logs", "secrets", "servers", "state", "stack.json", "state.json", "lock"];

pub async fn run(place: &Place, args: &DownArgs) -> Result<(), Failure> {
    match Stack::read(&place.home) {
        None => output::line(format_args!("Nothing runs under {}.", place.home.display())),
        Some(stack) => {
            stop_supervisor(&stack).await?;
            clean_up(&place.home).await?;
            output::line("All stopped.");
        }
    }
    if args.wipe { wipe(&place.home) } else { Ok(()) }
}

async fn stop_supervisor(stack: &Stack) -> Result<(), Failure> {
    let supervisor = stack.supervisor;
    supervisor.signal(Signal::TERM);
    if supervisor.ended_within(SUPERVISOR_WITHIN).await {
        return Ok(());
    }
    // Its children are recorded, and ended one by one after it.
    supervisor.signal(Signal::KILL);
    if supervisor.ended_within(KILLED_WITHIN).await {
        return Ok(());
    }
    Err(Failure::Failed(format!("the supervisor, pid {}, can't be killed; whose is it?", supervisor.pid)))
}

/// Ends the children that a dead supervisor left, by pid and start time. Does nothing after an orderly stop.
pub async fn clean_up(home: &Path) -> Result<(), Failure> {
    let Some(stack) = Stack::read(home) else { return Ok(()) };
    let (ours, servers): (Vec<&Recorded>, Vec<&Recorded>) =
        stack.processes.iter().partition(|child| child.kind == Kind::Ours);
    end(&ours).await?;
    for server in servers {
        end(&[server]).await?;
    }
    for file in [Stack::file(home), servers::state_file(home)] {
        remove(&file)?;
    }
    Ok(())
}

async fn end(children: &[&Recorded]) -> Result<(), Failure> {
    for child in children {
        // PostgreSQL's TERM waits for clients; its INT does not.
        let signal = if child.name == servers::POSTGRES { Signal::INT } else { Signal::TERM };
        child.identity.signal(signal);
    }
    for child in children {
        if !child.identity.ended_within(CHILD_WITHIN).await {
            child.identity.signal(Signal::KILL);
        }
        if !child.identity.ended_within(KILLED_WITHIN).await {
            let (name, pid) = (&child.name, child.identity.pid);
            return Err(Failure::Failed(format!("{name}, pid {pid}, can't be killed; whose is it?")));
        }
    }
    Ok(())
}

/// Deletes only what a stack makes: a `--home` that was mistyped loses nothing else.
fn wipe(home: &Path) -> Result<(), Failure> {
    let absolute = std::fs::canonicalize(home).unwrap_or_else(|_| home.into());
    if let Some(outside) = servers::postgres_outside(&absolute) {
        remove(&outside)?;
    }
    for name in CONTENTS {
        remove(&absolute.join(name))?;
    }
    // Fails where something else lies in it, which then stays.
    let _ = std::fs::remove_dir(&absolute);
    output::line(format_args!("Data, logs and secrets under {} are deleted.", home.display()));
    Ok(())
}

fn remove(path: &Path) -> Result<(), Failure> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.map_err(Failure::io("delete", path))
}
