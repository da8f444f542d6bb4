//! The life of one supervised process: wait for its needs, start, attend, start again; end when told to.

use std::process::ExitStatus;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{ProcessState, Record, State};
use crate::child;
use crate::error::Error;
use crate::identity::{Identity, resident_bytes};
use crate::process::Process;

/// While it starts, every such moment is waited for by a person.
const PROBE_STARTING: Duration = Duration::from_millis(100);
const MEASURE: Duration = Duration::from_secs(1);
const PROBE_RUNNING: Duration = Duration::from_secs(2);
/// One lost answer on a busy machine is not an illness.
const MISSED_PROBES_MAX: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// Who ran for so long failed for a new reason: the back-off begins anew.
const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// The longest that a dead broker's registration can last is its session time (6 s); then it is started in any case.
const BEFORE_MAX: Duration = Duration::from_secs(30);

pub(super) struct Lifecycle {
    pub index: usize,
    pub process: Process,
    pub states: watch::Sender<Vec<ProcessState>>,
    /// Turns to the time by which the process must have ended.
    pub stop: watch::Receiver<Option<Instant>>,
    pub record: Record,
    pub http: reqwest::Client,
}

impl Lifecycle {
    pub async fn run(self) {
        let mut backoff = FIRST_BACKOFF;
        let mut stop = self.stop.clone();
        let told = async move { stop.wait_for(Option::is_some).await.is_ok() };
        tokio::pin!(told);
        tokio::select! {
            () = self.needs_are_healthy() => {}
            _ = &mut told => return self.change(ProcessState::become_stopped),
        }
        loop {
            tokio::select! {
                () = self.before_start() => {}
                _ = &mut told => break,
            }
            let started = Instant::now();
            let note = match self.start() {
                Err(error) => error.to_string(),
                Ok((mut child, identity)) => tokio::select! {
                    status = self.attend(&mut child, identity) => ended(status),
                    _ = &mut told => {
                        self.end(&mut child, identity).await;
                        break;
                    }
                },
            };
            backoff = if started.elapsed() > SETTLED_AFTER { FIRST_BACKOFF } else { backoff };
            self.ended(note, backoff);
            tokio::select! {
                () = tokio::time::sleep(backoff) => {}
                _ = &mut told => break,
            }
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
            self.change(|state| state.restarts += 1);
        }
        self.change(ProcessState::become_stopped);
    }

    async fn needs_are_healthy(&self) {
        let healthy = |states: &Vec<ProcessState>| {
            self.process.needs.iter().all(|need| states.iter().any(|s| s.name == *need && s.was_healthy))
        };
        // The sender is ours, so the channel can't close.
        let _ = self.states.subscribe().wait_for(healthy).await;
    }

    async fn before_start(&self) {
        let end = Instant::now() + BEFORE_MAX;
        while !self.process.before.holds().await && Instant::now() < end {
            self.set(State::Starting, Some(format!("waits until {} may start", self.process.name)));
            tokio::time::sleep(PROBE_STARTING).await;
        }
    }

    fn start(&self) -> Result<(child::Child, Identity), Error> {
        let (child, identity) = child::spawn(&self.process)?;
        self.change(|state| {
            state.state = State::Starting;
            state.note = None;
            state.pid = Some(identity.pid);
            state.start_time = Some(identity.start_time);
        });
        (self.record)(&self.states.borrow());
        Ok((child, identity))
    }

    /// Asks after its health and its memory until it ends.
    async fn attend(&self, child: &mut child::Child, identity: Identity) -> std::io::Result<ExitStatus> {
        tokio::select! {
            status = child.wait() => status,
            never = self.probe() => match never {},
            never = self.measure(identity.pid) => match never {},
        }
    }

    async fn measure(&self, pid: u32) -> std::convert::Infallible {
        loop {
            let rss = resident_bytes(pid);
            self.change(|state| state.rss_bytes = rss);
            tokio::time::sleep(MEASURE).await;
        }
    }

    async fn probe(&self) -> std::convert::Infallible {
        let mut healthy = false;
        let mut missed = 0;
        loop {
            match self.process.health.check(&self.http).await {
                Ok(()) => {
                    (healthy, missed) = (true, 0);
                    self.set(State::Healthy, None);
                }
                Err(cause) if !healthy => self.set(State::Starting, Some(cause)),
                Err(cause) => {
                    missed += 1;
                    if missed >= MISSED_PROBES_MAX {
                        self.set(State::Unhealthy, Some(cause));
                    }
                }
            }
            tokio::time::sleep(if healthy { PROBE_RUNNING } else { PROBE_STARTING }).await;
        }
    }

    /// Asks it to end and kills it at the deadline.
    async fn end(&self, child: &mut child::Child, identity: Identity) {
        identity.signal(self.process.stop.signal);
        let mut stop = self.stop.clone();
        loop {
            let deadline = stop.borrow_and_update().unwrap_or_else(Instant::now);
            tokio::select! {
                _ = child.wait() => return,
                () = tokio::time::sleep_until(deadline) => break,
                // A second Ctrl-C moves the deadline to now.
                Ok(()) = stop.changed() => {}
            }
        }
        identity.signal(rustix::process::Signal::KILL);
        let _ = child.wait().await;
    }

    fn set(&self, new: State, note: Option<String>) {
        self.change(|state| {
            state.state = new;
            state.note = note;
            state.was_healthy |= new == State::Healthy;
        });
    }

    fn ended(&self, how: String, backoff: Duration) {
        self.change(|state| {
            state.become_stopped();
            state.note = Some(format!("{how}, next start in {backoff:?}"));
            state.ends += 1;
            state.last_end = Some(how);
        });
    }

    /// Wakes the watchers only when something is different.
    fn change(&self, change: impl FnOnce(&mut ProcessState)) {
        self.states.send_if_modified(|states| {
            let before = states[self.index].clone();
            change(&mut states[self.index]);
            states[self.index] != before
        });
    }
}

fn ended(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("ended ({status})"),
        Err(cause) => format!("ended ({cause})"),
    }
}
