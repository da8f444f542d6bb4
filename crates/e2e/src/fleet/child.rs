//! One process of ours.

use super::Place;
use anyhow::{Context, bail};
pub use rustix::process::Signal;
use std::{
    fs::OpenOptions,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

pub struct Child {
    name: &'static str,
    process: std::process::Child,
}

/// The README's promise.
pub const STOP_MAX: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Child {
    pub fn spawn(
        place: &Place,
        name: &'static str,
        program: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let log = place.log(name);
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        let process = Command::new(place.binaries.join(program))
            .arg("--config")
            .arg(place.config.join(format!("{program}.toml")))
            .env_clear()
            .envs(servers::environment())
            .envs(place.environment(name))
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("start {program}: is it built?"))?;
        Ok(Self { name, process })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().is_ok_and(|ended| ended.is_some())
    }

    pub fn kill(mut self) -> anyhow::Result<u32> {
        let pid = self.pid();
        if let Some(status) = self.process.try_wait()? {
            bail!("{} had ended by itself before it was killed: {status}", self.name);
        }
        self.process.kill()?;
        self.process.wait()?;
        Ok(pid)
    }

    pub async fn term(mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        send(self.pid(), Signal::TERM)?;
        while started.elapsed() < STOP_MAX {
            match self.process.try_wait()? {
                Some(status) if status.success() => return Ok(started.elapsed()),
                Some(status) => bail!("{} ended with {status} on SIGTERM", self.name),
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
        self.process.kill()?;
        self.process.wait()?;
        bail!("{} did not end within {STOP_MAX:?} of SIGTERM", self.name)
    }

    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        send(self.pid(), signal)
    }
}

/// Sends a signal. A stop is waited for: a fault that never happened must not pass for one.
pub fn send(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).context("a process id")?;
    rustix::process::kill_process(raw, signal).with_context(|| format!("send {signal:?} to {pid}"))?;
    if signal == Signal::STOP {
        let asked = Instant::now();
        while !is_stopped(pid)? {
            if asked.elapsed() > STOP_MAX {
                bail!("process {pid} does not stop on SIGSTOP");
            }
            std::thread::yield_now();
        }
    }
    Ok(())
}

/// The state stands behind the name in parentheses: `T` is stopped.
fn is_stopped(pid: u32) -> anyhow::Result<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
}
