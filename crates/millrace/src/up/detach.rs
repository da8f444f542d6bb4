//! `millrace up --detach`: starts a supervisor that outlives this command, and waits until all is healthy.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use servers::{Identity, Signal, Stack};
use tokio::process::Child;
use tokio::time::Instant;

use super::screen::Screen;
use super::{Plan, already_runs, hints};
use crate::cli::Part;
use crate::failure::Failure;

const POLL: Duration = Duration::from_millis(100);
/// Beyond the supervisor's own limit, for its way there.
const SPARE: Duration = Duration::from_secs(30);
/// An ending supervisor keeps to 15 s.
const STOP_WITHIN: Duration = Duration::from_secs(20);
const MESSAGE_BYTES_MAX: u64 = 64 << 10;

/// Starts the supervisor and returns when all is healthy.
pub async fn start(plan: &Plan) -> Result<(), Failure> {
    let log = servers::log_file(&plan.home, "supervisor");
    let from = std::fs::metadata(&log).map_or(0, |log| log.len());
    let mut child = spawn(plan, &log)?;
    let supervisor = child.id().and_then(Identity::of);
    let ended = || Failure::Failed(message(&log, from));
    let supervisor = supervisor.ok_or_else(ended)?;
    tokio::select! {
        result = until_healthy(plan, supervisor) => result,
        _ = child.wait() => Err(ended()),
        _ = tokio::signal::ctrl_c() => {
            supervisor.signal(Signal::TERM);
            let _ = tokio::time::timeout(STOP_WITHIN, child.wait()).await;
            Err(Failure::Failed("stopped before all was healthy".into()))
        }
    }
}

/// Waits for a supervisor that another command has started.
pub async fn join(plan: &Plan) -> Result<(), Failure> {
    let supervisor =
        Stack::read(&plan.home).map(|stack| stack.supervisor).filter(|running| running.is_alive());
    let supervisor = supervisor.ok_or_else(|| already_runs(&plan.home))?;
    until_healthy(plan, supervisor).await
}

fn spawn(plan: &Plan, log: &Path) -> Result<Child, Failure> {
    let file =
        std::fs::OpenOptions::new().create(true).append(true).open(log).map_err(Failure::io("open", log))?;
    let second = file.try_clone().map_err(Failure::io("open", log))?;
    let program =
        std::env::current_exe().map_err(Failure::io("find", Path::new("millrace's own program")))?;
    let mut command = tokio::process::Command::new(&program);
    command.arg("--home").arg(&plan.home).arg("--config").arg(&plan.config).args(["up", "--supervise"]);
    if plan.only == Some(Part::Servers) {
        command.args(["--only", "servers"]);
    }
    command.stdin(Stdio::null()).stdout(file).stderr(second);
    command.spawn().map_err(Failure::io("start", &program))
}

async fn until_healthy(plan: &Plan, supervisor: Identity) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(plan.settings.servers.start_timeout_seconds) + SPARE;
    let mut screen = Screen::new();
    while Instant::now() < end && supervisor.is_alive() {
        tokio::time::sleep(POLL).await;
        let of_this_one = Stack::read(&plan.home).is_some_and(|stack| stack.supervisor == supervisor);
        let states = servers::read_states(&plan.home).filter(|_| of_this_one).unwrap_or_default();
        if states.is_empty() {
            continue;
        }
        let healthy = states.iter().all(|state| state.state == servers::State::Healthy);
        let hints =
            if healthy { format!("{}\n`millrace down` stops all", hints(plan)) } else { String::new() };
        screen.show(&states, &hints);
        if healthy {
            return Ok(());
        }
    }
    Err(Failure::Failed("not all is healthy; `millrace status` and `millrace logs NAME` say more".into()))
}

/// What the supervisor wrote since it was started: its last word is why it ended.
fn message(log: &Path, from: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(log)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(MESSAGE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    match text.split_once("millrace: ") {
        Some((_, message)) => message.trim_end().to_string(),
        None => format!("the supervisor has ended; its log is {}", log.display()),
    }
}
