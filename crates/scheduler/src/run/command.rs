//! `command`: a child process, in a process group of its own, ended whole: TERM, and KILL after [`GRACE`].

mod lines;

use super::Job;
use crate::{named, warden::Listed};
use lines::Lines;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::{collections::BTreeMap, pin::pin, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncRead, BufReader},
    process::Command,
    time::Instant,
};

/// Between asking a process to end and killing it.
pub const GRACE: Duration = Duration::from_secs(10);
/// More lines than this are counted, not kept.
const LINES_MAX: usize = 10_000;
/// What was said is kept so much later.
const GATHER: Duration = Duration::from_millis(50);
/// One chunk; of the longest lines that are 16 MiB.
const CHUNK_LINES_MAX: usize = 256;

pub async fn run(job: &Job<'_>, run: &[String], env: &BTreeMap<String, String>) -> Result<Value, String> {
    let words = run.iter().map(|word| job.fill(word)).collect::<Result<Vec<_>, _>>()?;
    let (program, arguments) = words.split_first().ok_or("no program is named")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(named::is_secret_variable))
    {
        command.env_remove(name);
    }
    for (name, value) in env {
        command.env(name, job.fill(value)?);
    }
    let mut child = command.spawn().map_err(|cause| format!("\"{program}\" did not start: {cause}"))?;
    // What it does before it is listed outlives an executor that is killed in these microseconds: it can't be listed before it is.
    let group =
        Group { leader: child.id(), _listed: child.id().map(|leader| job.outside.warden.list(leader)) };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let status = {
        let mut ending = pin!(async { tokio::join!(keep(job, out), keep(job, err), child.wait()).2 });
        tokio::select! {
            status = &mut ending => status,
            () = job.stop.cancelled() => {
                group.send(Signal::TERM);
                // Whether it ends by itself or not, what is left of it is killed below.
                let _ = tokio::time::timeout(GRACE, ending).await;
                return Err(format!("\"{program}\" was stopped"));
            }
        }
    };
    let status = status.map_err(|cause| format!("\"{program}\" was lost: {cause}"))?;
    drop(group);
    match status.code() {
        Some(0) => Ok(json!({ "exit_code": 0 })),
        Some(code) => Err(format!("\"{program}\" ended with exit code {code}")),
        None => Err(format!("\"{program}\" was ended by a signal")),
    }
}

/// Kills what is left of the process group when the task ends or is stopped.
struct Group {
    leader: Option<u32>,
    /// Dropped after the kill.
    _listed: Option<Listed>,
}

impl Group {
    fn send(&self, signal: Signal) {
        if let Some(pid) = self.leader.and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            // Nothing is left where the group has ended by itself.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.send(Signal::KILL);
    }
}

/// Keeps what is said, in chunks: a page that is open shows it a moment later.
async fn keep(job: &Job<'_>, output: Option<impl AsyncRead + Unpin>) {
    let Some(output) = output else { return };
    let mut lines = Lines::new(BufReader::new(output), job.mask);
    let (mut kept, mut chunk, mut since) = (0, vec![], Instant::now());
    loop {
        let next = match chunk.is_empty() {
            true => Some(lines.next().await),
            false => tokio::time::timeout_at(since + GATHER, lines.next()).await.ok(),
        };
        let ended = !matches!(next, None | Some(Ok(Some(_))));
        if let Some(Ok(Some(line))) = next {
            kept += 1;
            if chunk.is_empty() {
                since = Instant::now();
            }
            if kept <= LINES_MAX {
                chunk.push(line);
            }
            if chunk.len() < CHUNK_LINES_MAX {
                continue;
            }
        }
        if !chunk.is_empty() {
            job.log_masked(&std::mem::take(&mut chunk)).await;
        }
        if ended {
            break;
        }
    }
    if kept > LINES_MAX {
        job.log(&format!("{} more lines were not kept", kept - LINES_MAX)).await;
    }
}
