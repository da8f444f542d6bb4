//! `millrace up`: one supervisor, all processes its children.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::MultiProgress;
use servers::{Identity, Process, ProcessState, Stack, Supervisor};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::{Part, Place, UpArgs};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::{down, ours};

mod detach;
mod screen;
mod signals;

use screen::Screen;
use signals::Signals;

/// `state.json` is never older than this while the supervisor lives.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Changes that come close together are shown and written once.
const SETTLE: Duration = Duration::from_millis(50);

/// What was asked for, with absolute folders.
struct Plan {
    settings: Settings,
    home: PathBuf,
    config: PathBuf,
    only: Option<Part>,
}

pub async fn run(place: &Place, args: &UpArgs) -> Result<(), Failure> {
    if args.supervise {
        signals::leave_terminal();
    }
    let plan = plan(place, args)?;
    let Some(lock) = lock(&plan.home)? else {
        return if args.detach { detach::join(&plan).await } else { Err(already_runs(&plan.home)) };
    };
    down::clean_up(&plan.home).await?;
    let installed = install(&plan.settings).await?;
    let processes = processes(&plan, &installed).await?;
    servers::check_free(&processes)?;
    if args.detach {
        drop(lock);
        return detach::start(&plan).await;
    }
    supervise(&plan, processes).await
}

fn plan(place: &Place, args: &UpArgs) -> Result<Plan, Failure> {
    let environment: Vec<(String, String)> = std::env::vars().collect();
    let settings = Settings::load(&place.config, &environment)?;
    std::fs::create_dir_all(&place.home).map_err(Failure::io("create", &place.home))?;
    let absolute = |folder: &Path| std::fs::canonicalize(folder).map_err(Failure::io("find", folder));
    Ok(Plan { settings, home: absolute(&place.home)?, config: absolute(&place.config)?, only: args.only })
}

/// Held as long as the supervisor lives, also when it is killed; `None` when another one holds it.
fn lock(home: &Path) -> Result<Option<std::fs::File>, Failure> {
    let path = home.join("lock");
    let file = std::fs::File::create(&path).map_err(Failure::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(cause)) => Err(Failure::io("lock", &path)(cause)),
    }
}

fn already_runs(home: &Path) -> Failure {
    let pid = Stack::read(home).map_or("?".into(), |stack| stack.supervisor.pid.to_string());
    let home = home.display();
    Failure::Failed(format!(
        "it already runs under {home}, pid {pid}; `millrace status` shows it, `millrace down` stops it"
    ))
}

async fn install(settings: &Settings) -> Result<servers::Installed, Failure> {
    let bars = MultiProgress::new();
    Ok(servers::install(&settings.cache(), settings.maven_repository(), &bars).await?)
}

/// In the order in which they are stopped: ours first.
async fn processes(plan: &Plan, installed: &servers::Installed) -> Result<Vec<Process>, Failure> {
    let mut all = match plan.only {
        Some(Part::Servers) => Vec::new(),
        None => {
            let program =
                std::env::current_exe().map_err(Failure::io("find", Path::new("millrace's own program")))?;
            let programs = program.parent().unwrap_or(Path::new("."));
            ours::processes(
                &plan.settings,
                &ours::Folders { home: &plan.home, config: &plan.config, programs },
            )?
        }
    };
    all.extend(servers::servers(&plan.settings.for_servers(&plan.home)?, installed).await?);
    Ok(all)
}

/// Runs until a signal or until something does not start; then stops all.
async fn supervise(plan: &Plan, processes: Vec<Process>) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut screen = Screen::new();
    let stack = stack(plan, &processes)?;
    stack.write(&plan.home)?;
    let archives =
        processes.iter().filter_map(|p| Some((p.name.clone(), p.class_archive.clone()?))).collect();
    let mut supervisor = Supervisor::start(processes, recorder(plan, stack));
    let states = supervisor.states();
    let mut helpers = JoinSet::new();
    let result = tokio::select! {
        result = until_told(plan, &supervisor, archives, &mut helpers, &mut signals) => result,
        failure = observe(plan, states.clone(), &mut screen) => Err(failure),
    };
    helpers.shutdown().await;
    tokio::select! {
        () = supervisor.stop() => {}
        _ = observe(plan, states.clone(), &mut screen) => {}
        () = signals.next() => {}
    }
    // Nothing is left to kill, unless a second signal says that somebody does not want to wait.
    supervisor.kill().await;
    screen.show(&states.borrow(), "");
    // Removes what was recorded about children that are all gone now.
    down::clean_up(&plan.home).await?;
    result
}

async fn until_told(
    plan: &Plan,
    supervisor: &Supervisor,
    archives: Vec<(String, PathBuf)>,
    helpers: &mut JoinSet<()>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let limit = Duration::from_secs(plan.settings.servers.start_timeout_seconds);
    tokio::select! {
        result = supervisor.all_healthy(limit) => result?,
        () = signals.next() => return Ok(()),
    }
    if let Ok(java) = servers::find_java(plan.settings.for_servers(&plan.home)?.java.as_deref()) {
        helpers.spawn(make_class_archives(java, archives, supervisor.states()));
    }
    signals.next().await;
    Ok(())
}

/// One after the other, so that a first start has not all servers stand still at once.
async fn make_class_archives(
    java: servers::Java,
    archives: Vec<(String, PathBuf)>,
    states: watch::Receiver<Vec<ProcessState>>,
) {
    for (name, archive) in archives {
        let pid = states.borrow().iter().find(|state| state.name == name).and_then(|state| state.pid);
        if let (Some(pid), false) = (pid, archive.exists()) {
            servers::make_class_archive(&java, pid, &archive).await;
        }
    }
}

/// Shows and writes down the states, until that can't be done.
async fn observe(
    plan: &Plan,
    mut states: watch::Receiver<Vec<ProcessState>>,
    screen: &mut Screen,
) -> Failure {
    let hints = hints(plan);
    loop {
        let now = states.borrow_and_update().clone();
        let all_were_healthy = now.iter().all(|state| state.was_healthy);
        screen.show(&now, if all_were_healthy { &hints } else { "" });
        if let Err(error) = servers::write_states(&plan.home, &now) {
            return error.into();
        }
        tokio::time::sleep(SETTLE).await;
        let _ = tokio::time::timeout(WRITE_EVERY, states.changed()).await;
    }
}

fn stack(plan: &Plan, processes: &[Process]) -> Result<Stack, Failure> {
    let own =
        Identity::own().ok_or_else(|| Failure::Failed("read /proc/self/stat: is /proc mounted?".into()))?;
    Ok(Stack {
        supervisor: own,
        addresses: processes.iter().map(|process| (process.name.clone(), process.address.clone())).collect(),
        postgres_password_file: ours::password_file(&plan.home),
        config_dir: plan.config.clone(),
        processes: Vec::new(),
    })
}

/// Writes `stack.json` right after every start: the only trace of a child when this process is killed.
fn recorder(plan: &Plan, stack: Stack) -> servers::Record {
    // Processes start side by side, and the file is written anew each time: one at a time.
    let (home, stack) = (plan.home.clone(), Mutex::new(stack));
    Arc::new(move |states| {
        let mut stack = stack.lock().unwrap_or_else(PoisonError::into_inner);
        stack.record(states);
        if let Err(error) = stack.write(&home) {
            eprintln!("millrace: {error}");
        }
    })
}

/// What to open and what to type.
fn hints(plan: &Plan) -> String {
    if plan.only == Some(Part::Servers) {
        return "All servers are healthy.".into();
    }
    let ports = &plan.settings.ports;
    format!(
        "Open  http://localhost:{}   DAGs and their runs\n      http://localhost:{}   topics, messages, lag, schemas\n\
         Type  millrace cql \"SELECT * FROM millrace.created_users LIMIT 5\"",
        ports.scheduler, ports.control_center
    )
}
