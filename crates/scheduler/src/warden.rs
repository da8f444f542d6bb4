//! A small process beside an executor, which outlives it for a moment: however the executor dies, what its tasks have started is
//! killed then.
//!
//! It is this program with the argument [`WARDEN`], and begins with the first child process of a task. Over a pipe it is told of
//! each process group; that the pipe ends is how it learns that the executor is gone, and not even kill −9 prevents that.

pub mod process;

use model::{Break, Guards};
use rustix::io::ioctl_fionbio;
use service::Service;
use std::{
    collections::BTreeSet,
    fmt,
    io::{self, PipeWriter, Write},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    sync::Notify,
};

/// What this program is called with to be one.
pub const WARDEN: &str = "warden";

/// One that does not live is not started in a hurry.
const PAUSE: Duration = Duration::from_millis(100);

/// The executor's side. Cheap to clone.
#[derive(Clone, Default)]
pub struct Warden {
    guards: Guards,
    known: Arc<Mutex<Known>>,
    started: Arc<Notify>,
}

/// What there is.
#[derive(Default)]
struct Known {
    groups: BTreeSet<Group>,
    /// Where the process reads; none before the first group.
    pipe: Option<PipeWriter>,
    /// One that nobody waits for yet.
    process: Option<Child>,
}

/// A process group by its number, which is that of its leader, and the leader's start, so that it is never taken for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    leader: u32,
    /// In clock ticks since the machine's start.
    started: u64,
}

/// What the process is told: a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Begun(Group),
    Ended(Group),
}

/// A process group that is killed should the executor die; dropped when it has ended.
pub struct Listed {
    warden: Warden,
    group: Option<Group>,
}

impl Warden {
    pub fn new(guards: Guards) -> Self {
        Self { guards, ..Self::default() }
    }

    /// Lists a process group that has just begun.
    pub fn list(&self, leader: u32) -> Listed {
        let wanted = !self.guards.lack(Break::NoWarden);
        let group = wanted.then(|| Group::of(leader)).flatten();
        if let Some(group) = group {
            let mut known = self.known();
            known.groups.insert(group);
            if !known.tell(Told::Begun(group)) {
                self.start(&mut known);
            }
        }
        Listed { warden: self.clone(), group }
    }

    /// Waits for processes, and starts another one for each that dies while groups are listed. Ends with the executor.
    pub async fn follow(&self, service: &Service) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = self.started.notified() => {}
                () = service.shutdown.cancelled() => return Ok(()),
            }
            let Some(mut process) = self.known().process.take() else { continue };
            tokio::select! {
                _ = process.wait() => tracing::warn!("the warden of this executor's child processes died: there will be another one"),
                () = service.shutdown.cancelled() => return Ok(()),
            }
            tokio::time::sleep(PAUSE).await;
            let mut known = self.known();
            // A task may have found out before, and have started one.
            if known.process.is_none() {
                known.pipe = None;
                if !known.groups.is_empty() {
                    self.start(&mut known);
                }
            }
        }
    }

    /// Starts a process and tells it all. Without one, tasks run all the same.
    fn start(&self, known: &mut Known) {
        match spawn() {
            Ok((process, pipe)) => {
                (known.process, known.pipe) = (Some(process), Some(pipe));
                // Lines of 20 bytes: the pipe has room for three thousand before the process has read one.
                for group in known.groups.clone() {
                    known.tell(Told::Begun(group));
                }
                self.started.notify_one();
            }
            Err(cause) => tracing::warn!(
                "no warden could be started: should this process be killed, its child processes go on: {cause}"
            ),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let Some(group) = self.group else { return };
        let mut known = self.warden.known();
        known.groups.remove(&group);
        // A process that has died need not know.
        known.tell(Told::Ended(group));
    }
}

impl Known {
    /// Answers whether there is a process that will read it.
    fn tell(&mut self, told: Told) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        // A line is written whole or not at all, and never waits.
        match pipe.write(told.to_string().as_bytes()) {
            Ok(_) => true,
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {
                // Somebody has stopped it. Another one beside it would do: but it would kill what it knows when it goes on.
                tracing::warn!(
                    "the warden of this executor's child processes does not listen: is it stopped?"
                );
                true
            }
            Err(_) => false,
        }
    }
}

/// Nothing of this process goes along but the program: no secret of its environment, no log, no signal to its group.
fn spawn() -> io::Result<(Child, PipeWriter)> {
    let (theirs, ours) = io::pipe()?;
    ioctl_fionbio(&ours, true)?;
    // The program as it was started, though an upgrade may have put another in its place.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("scheduler").arg(WARDEN).env_clear().current_dir("/").process_group(0);
    let process = command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok((process, ours))
}

impl Group {
    /// None where it has ended and was waited for.
    fn of(leader: u32) -> Option<Self> {
        let stat = procfs::process::Process::new(leader.cast_signed()).and_then(|process| process.stat());
        Some(Self { leader, started: stat.ok()?.starttime })
    }

    /// Whether the number still means this group: while one of its processes lives, the kernel gives the number to no other.
    fn is_itself(&self) -> bool {
        Self::of(self.leader).is_none_or(|now| now == *self)
    }
}

/// `+4711 98765`
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, Group { leader, started }) = match self {
            Told::Begun(group) => ('+', group),
            Told::Ended(group) => ('-', group),
        };
        writeln!(f, "{sign}{leader} {started}")
    }
}

impl Told {
    fn parse(line: &str) -> Option<Self> {
        let (leader, started) = line.get(1..)?.split_once(' ')?;
        let group = Group { leader: leader.parse().ok()?, started: started.parse().ok()? };
        match line.as_bytes().first()? {
            b'+' => Some(Told::Begun(group)),
            b'-' => Some(Told::Ended(group)),
            _ => None,
        }
    }
}
