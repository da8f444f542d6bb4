//! Which process is meant: a pid alone may have been given to another program since.

use std::path::Path;
use std::time::Duration;

use procfs::process::{Process, Stat};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

const POLL: Duration = Duration::from_millis(20);

/// A pid together with the time at which that process started, in clock ticks since boot (`/proc/PID/stat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: u32,
    pub start_time: u64,
}

impl Identity {
    /// The process that has this pid now.
    pub fn of(pid: u32) -> Option<Identity> {
        stat(pid).map(|stat| Identity { pid, start_time: stat.starttime })
    }

    /// This very process.
    pub fn own() -> Option<Identity> {
        Identity::of(std::process::id())
    }

    /// Does it run? A zombie does not: it holds no port and no file.
    pub fn is_alive(self) -> bool {
        stat(self.pid)
            .is_some_and(|stat| stat.starttime == self.start_time && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Signals the process and its group, which our children lead; nothing happens when it has ended.
    pub fn signal(self, signal: Signal) {
        if let (true, Some(pid)) = (self.is_alive(), pid(self.pid)) {
            // An error here means that it ended between the look and the call.
            let _ = rustix::process::kill_process(pid, signal);
            if signal == Signal::KILL {
                let _ = rustix::process::kill_process_group(pid, signal);
            }
        }
    }

    /// Waits until it has ended, at most so long. Works for processes that are not our children.
    pub async fn ended_within(self, limit: Duration) -> bool {
        let end = tokio::time::Instant::now() + limit;
        while self.is_alive() {
            if tokio::time::Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }
}

/// Resident memory of a process and all below it. Shared pages (PostgreSQL's buffers) count once, in the parent.
pub fn resident_bytes(pid: u32) -> u64 {
    let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else { return 0 };
    let own = process.statm().map_or(0, |memory| memory.resident);
    own * procfs::page_size() + children(&process).map(private_bytes).sum::<u64>()
}

fn private_bytes(pid: u32) -> u64 {
    let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else { return 0 };
    let own = process.statm().map_or(0, |memory| memory.resident.saturating_sub(memory.shared));
    own * procfs::page_size() + children(&process).map(private_bytes).sum::<u64>()
}

fn children(process: &Process) -> impl Iterator<Item = u32> {
    let tasks = process.tasks().into_iter().flatten().flatten();
    tasks.filter_map(|task| task.children().ok()).flatten()
}

/// Who listens on this TCP port: pid and command, or what can be said when that may not be seen.
pub fn holder_of_port(port: u16) -> Option<String> {
    let tables = procfs::net::tcp().into_iter().chain(procfs::net::tcp6()).flatten();
    let listening = |state| state == procfs::net::TcpState::Listen;
    let entry =
        { tables }.find(|entry| listening(entry.state.clone()) && entry.local_address.port() == port)?;
    let owner = procfs::process::all_processes().ok()?.flatten().find(|process| holds(process, entry.inode));
    Some(match owner {
        Some(process) => {
            let name = process.stat().map_or_else(|_| "?".into(), |stat| stat.comm);
            format!("pid {} ({name})", process.pid)
        }
        None => format!("a process of user id {} that this user may not look into", entry.uid),
    })
}

fn holds(process: &Process, inode: u64) -> bool {
    let files = process.fd().into_iter().flatten().flatten();
    { files }.any(|file| matches!(file.target, procfs::process::FDTarget::Socket(of) if of == inode))
}

/// May a user without rights on them go through all folders down to this path? Folders that do not exist yet will be made open.
pub fn is_reachable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let searchable = |folder: &Path| match std::fs::metadata(folder) {
        Ok(folder) => !folder.is_dir() || folder.permissions().mode() & 0o001 != 0,
        Err(_) => true,
    };
    path.ancestors().all(searchable)
}

fn stat(pid: u32) -> Option<Stat> {
    Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()
}

fn pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_that_was_given_to_another_process_is_not_ours() {
        let own = Identity::own().unwrap();
        assert!(own.is_alive());
        let other = Identity { start_time: own.start_time + 1, ..own };
        assert!(!other.is_alive());
        other.signal(Signal::KILL);
    }

    #[test]
    fn the_holder_of_a_taken_port_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let holder = holder_of_port(port).unwrap();
        assert!(holder.starts_with(&format!("pid {} (", std::process::id())), "{holder}");
        drop(listener);
        assert_eq!(holder_of_port(port), None);
    }
}
