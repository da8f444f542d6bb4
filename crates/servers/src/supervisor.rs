//! Runs processes: starts each when what it needs is healthy, asks after its health, starts it again when it ends, stops all in order.
//!
//! One task per process. What they find out goes into one list that anybody may watch.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::child;
use crate::error::Error;
use crate::process::{Kind, Process};

mod lifecycle;

/// A process that ends so often before it was ever healthy will not become so.
const EARLY_ENDS_MAX: u32 = 3;
const TAIL_LINES: usize = 25;

/// How a process is just now, as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessState {
    pub name: String,
    pub kind: Kind,
    pub state: State,
    pub address: String,
    pub pid: Option<u32>,
    pub rss_bytes: u64,
    /// How often it was started again.
    pub restarts: u32,
    /// Why it is not healthy, in words.
    pub note: Option<String>,
    #[serde(default)]
    pub start_time: Option<u64>,
    pub log: PathBuf,
    #[serde(skip)]
    pub was_healthy: bool,
    /// How often it ended, and how the last time: kept when it is started again.
    #[serde(skip)]
    ends: u32,
    #[serde(skip)]
    last_end: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for what it needs, or runs and has not been healthy yet.
    Starting,
    Healthy,
    /// Was healthy, and does not answer now.
    Unhealthy,
    /// Has no process now.
    Stopped,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Healthy => "healthy",
            State::Unhealthy => "unhealthy",
            State::Stopped => "stopped",
        }
    }
}

/// Called with all states right after every start, before anything else can happen to the new process: what it writes down
/// is what a later start can clean up.
pub type Record = Arc<dyn Fn(&[ProcessState]) + Send + Sync>;

/// The processes that run, and the way to end them.
pub struct Supervisor {
    processes: Vec<Process>,
    states: watch::Sender<Vec<ProcessState>>,
    /// Per process: the time at which it must have ended.
    stops: Vec<watch::Sender<Option<Instant>>>,
    tasks: Vec<JoinSet<()>>,
}

impl Supervisor {
    /// Starts all processes, in parallel as far as their needs allow.
    pub fn start(processes: Vec<Process>, record: Record) -> Supervisor {
        let initial = processes.iter().map(ProcessState::initial).collect();
        let (states, _) = watch::channel(initial);
        let http = reqwest::Client::builder().no_proxy().timeout(crate::process::PROBE_TIMEOUT).build();
        let mut stops = Vec::new();
        let mut tasks = Vec::new();
        for (index, process) in processes.iter().cloned().enumerate() {
            let (stop, stopped) = watch::channel(None);
            let lifecycle = lifecycle::Lifecycle {
                index,
                process,
                states: states.clone(),
                stop: stopped,
                record: record.clone(),
                http: http.as_ref().cloned().unwrap_or_default(),
            };
            let mut task = JoinSet::new();
            task.spawn(lifecycle.run());
            stops.push(stop);
            tasks.push(task);
        }
        Supervisor { processes, states, stops, tasks }
    }

    /// The states, to be read at once or watched.
    pub fn states(&self) -> watch::Receiver<Vec<ProcessState>> {
        self.states.subscribe()
    }

    /// Returns when every process has been healthy; an error when one will not, or after `limit`.
    pub async fn all_healthy(&self, limit: Duration) -> Result<(), Error> {
        let mut states = self.states();
        let done = |states: &Vec<ProcessState>| {
            states.iter().all(|s| s.was_healthy) || states.iter().any(|s| s.has_failed())
        };
        let in_time = matches!(tokio::time::timeout(limit, states.wait_for(done)).await, Ok(Ok(_)));
        let states = self.states.borrow();
        let guilty = states.iter().find(|s| s.has_failed()).or(states.iter().find(|s| !s.was_healthy));
        let Some(state) = guilty else { return Ok(()) };
        let note = state.last_end.as_ref().or(state.note.as_ref()).cloned().unwrap_or_default();
        let cause = if in_time { note } else { format!("{note} (after {} s)", limit.as_secs()) };
        let tail = child::tail(&state.log, TAIL_LINES);
        Err(Error::Unhealthy { name: state.name.clone(), cause, log: state.log.clone(), tail })
    }

    /// Ends all processes in the order of their ranks. At the bound of a rank what is left of it is killed.
    pub async fn stop(&mut self) {
        let ranks: BTreeSet<u8> = self.processes.iter().map(|process| process.stop.rank).collect();
        let mut deadline = Instant::now();
        for rank in ranks {
            let members = self.processes.iter().enumerate().filter(|(_, process)| process.stop.rank == rank);
            let members: Vec<usize> = members.map(|(index, _)| index).collect();
            deadline += members.iter().map(|&i| self.processes[i].stop.within).max().unwrap_or_default();
            self.stop_these(&members, deadline).await;
        }
    }

    /// Kills all processes at once, for a person who does not want to wait.
    pub async fn kill(&mut self) {
        let all: Vec<usize> = (0..self.processes.len()).collect();
        self.stop_these(&all, Instant::now()).await;
    }

    async fn stop_these(&mut self, members: &[usize], deadline: Instant) {
        for &index in members {
            self.stops[index].send_replace(Some(deadline));
        }
        for &index in members {
            while self.tasks[index].join_next().await.is_some() {}
        }
    }
}

impl ProcessState {
    fn initial(process: &Process) -> ProcessState {
        let waits = || format!("waits for {}", process.needs.join(", "));
        ProcessState {
            name: process.name.clone(),
            kind: process.kind,
            state: State::Starting,
            address: process.address.clone(),
            pid: None,
            rss_bytes: 0,
            restarts: 0,
            note: (!process.needs.is_empty()).then(waits),
            start_time: None,
            log: process.log.clone(),
            was_healthy: false,
            ends: 0,
            last_end: None,
        }
    }

    fn become_stopped(&mut self) {
        self.state = State::Stopped;
        (self.pid, self.start_time, self.rss_bytes, self.note) = (None, None, 0, None);
    }

    /// Has it ended too often without ever being healthy?
    fn has_failed(&self) -> bool {
        !self.was_healthy && self.ends >= EARLY_ENDS_MAX
    }
}

#[cfg(test)]
mod tests;
