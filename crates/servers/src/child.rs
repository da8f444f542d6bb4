//! Starts a child in a session of its own, with a log file of its own.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};

use crate::error::{Error, at};
use crate::identity::Identity;
use crate::process::{Launch, Process};

/// At a start a log above this becomes `NAME.log.1`; the one before that is dropped.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// So much of a log's end is read to show why a process failed.
const TAIL_BYTES: u64 = 16 << 10;

/// A process of the stack.
pub type Child = Box<dyn ChildWrapper>;

/// Starts it. A Ctrl-C at the terminal does not reach the child, because it leads a session, and so a process group, of its own. Linux
/// deals out the processors by sessions, as it does by containers: in one session, a server's hundred threads crowd out a process of two.
pub fn spawn(process: &Process) -> Result<(Child, Identity), Error> {
    let log = open_log(&process.log)?;
    let second = log.try_clone().map_err(at("open", &process.log))?;
    let spawn =
        |cause| Error::Spawn { name: process.name.clone(), program: process.launch.program.clone(), cause };
    let mut command = command(&process.launch);
    command.stdin(Stdio::null()).stdout(log).stderr(second);
    // Waiting for the wrapped child would be waiting for its whole group.
    let child = CommandWrap::from(command).wrap(ProcessSession).spawn().map_err(spawn)?.into_inner();
    let gone = || spawn(std::io::Error::other("it ended at once"));
    let identity = child.id().and_then(Identity::of).ok_or_else(gone)?;
    Ok((child, identity))
}

/// The command with exactly the environment of `launch`.
pub fn command(launch: &Launch) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(&launch.program);
    command.args(&launch.args).env_clear().envs(launch.env.iter().map(|(name, value)| (name, value)));
    if let Some(folder) = &launch.folder {
        command.current_dir(folder);
    }
    if let Some((uid, gid)) = launch.user {
        command.uid(uid).gid(gid);
    }
    command
}

fn open_log(log: &Path) -> Result<File, Error> {
    if std::fs::metadata(log).is_ok_and(|file| file.len() > LOG_BYTES_MAX) {
        std::fs::rename(log, log.with_added_extension("1")).map_err(at("rename", log))?;
    }
    std::fs::OpenOptions::new().create(true).append(true).open(log).map_err(at("open", log))
}

/// The last `lines` of a log.
pub fn tail(log: &Path, lines: usize) -> String {
    use std::io::{Read as _, Seek as _};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
        file.seek(std::io::SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
