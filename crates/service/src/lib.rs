//! What every process of ours has: configuration, logs, health, metrics, and an orderly end.
//!
//! A process is `fn main() -> ExitCode { service::main("producer", producer::run) }`. `run` gets a [`Service`] and its
//! configuration, and ends when [`Service::shutdown`] is cancelled or something failed that only a restart can mend.

pub mod config;
mod health;
pub mod http;
pub mod metrics;
mod serve;
pub mod settings;

pub use health::Health;
pub use metrics::Metrics;
pub use model::{Break, Guards};
pub use tokio_util::sync::CancellationToken;

use serde::de::DeserializeOwned;
use std::{future::Future, path::PathBuf, process::ExitCode, time::Duration};

/// One running process.
#[derive(Clone)]
pub struct Service {
    /// The name of this instance, such as `worker-2`.
    pub name: String,
    pub shutdown: CancellationToken,
    pub health: Health,
    pub metrics: Metrics,
    /// All of them stand, unless a test took one away.
    pub guards: Guards,
}

/// How long a process may take to end after SIGTERM before it is ended by force: the same bound as the README's.
const STOP_MAX: Duration = Duration::from_secs(9);

/// A setting that the command line has too: its key, and what it says.
pub type Flag = (&'static str, &'static str);

/// Runs a process from its command line to its exit code: 0 ended in order, 1 failed, 2 wrong input.
pub fn main<C, F, R>(process: &str, run: F) -> ExitCode
where
    C: DeserializeOwned,
    F: FnOnce(Service, C) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    main_with(process, &[], run)
}

/// The same for a process with settings that may stand on its command line.
pub fn main_with<C, F, R>(process: &str, flags: &[Flag], run: F) -> ExitCode
where
    C: DeserializeOwned,
    F: FnOnce(Service, C) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    // Without it the first TLS client panics: reqwest is built without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse(process, flags);
    let mut variables = config::environment();
    variables.extend(arguments.flags);
    let loaded = config::load::<C>(&arguments.config, &variables);
    let (name, loaded) = match loaded.and_then(|loaded| Ok((config::name(process, &variables)?, loaded))) {
        Ok(found) => found,
        Err(problem) => {
            eprintln!("{process}: {problem}");
            return ExitCode::from(2);
        }
    };
    let guards = match guards() {
        Ok(guards) => guards,
        Err(problem) => {
            eprintln!("{process}: {BREAK}: {problem}");
            return ExitCode::from(2);
        }
    };
    match arguments.asked {
        Asked::Run => {}
        Asked::Health => return health::ask(&loaded.listen),
        Asked::CheckConfig => return ExitCode::SUCCESS,
    }
    start_log();
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(supervise(process, name, run, loaded.settings, guards)),
        Err(cause) => {
            eprintln!("{process}: cannot start its threads: {cause}");
            ExitCode::FAILURE
        }
    }
}

/// Names the guards that a test takes away. Read in debug builds only: what is released always has all of them.
const BREAK: &str = "MILLRACE_TEST_BREAK";

fn guards() -> Result<Guards, String> {
    if cfg!(debug_assertions) {
        Guards::without(&std::env::var(BREAK).unwrap_or_default())
    } else {
        Ok(Guards::default())
    }
}

struct Arguments {
    config: PathBuf,
    /// Given settings, by the names of their variables.
    flags: Vec<(String, String)>,
    asked: Asked,
}

enum Asked {
    Run,
    Health,
    CheckConfig,
}

impl Arguments {
    fn parse(process: &str, flags: &[Flag]) -> Self {
        use clap::{Arg, Command, value_parser};
        let config = Arg::new("config")
            .long("config")
            .value_parser(value_parser!(PathBuf))
            .help("Its configuration file");
        let found = Command::new(process.to_owned())
            .version(env!("CARGO_PKG_VERSION"))
            .about(format!("{process}: a process of Millrace. Settings come from the file, then from MILLRACE_* variables."))
            .arg(config.default_value(format!("config/{process}.toml")).global(true))
            .args(flags.iter().map(|(key, help)| Arg::new(*key).long(*key).help(*help)))
            .subcommand(Command::new("health").about("Asks the running process whether it is ready; exit code 0 or 1"))
            .subcommand(Command::new("check-config").about("Reads the configuration and does nothing else; exit code 0 or 2"))
            .get_matches();
        let config = found.get_one::<PathBuf>("config").cloned().unwrap_or_default();
        let asked = match found.subcommand_name() {
            Some("health") => Asked::Health,
            Some("check-config") => Asked::CheckConfig,
            _ => Asked::Run,
        };
        let given = |key: &str| {
            Some((format!("MILLRACE_{}", key.to_uppercase()), found.get_one::<String>(key)?.clone()))
        };
        let flags = flags.iter().filter_map(|(key, _)| given(key)).collect();
        Self { config, flags, asked }
    }
}

fn start_log() {
    use tracing_subscriber::{EnvFilter, fmt, prelude::*};
    // The drivers tell at ERROR what they retry by themselves; what they give up comes back to us as an error.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,librdkafka=off,rdkafka=off,scylla=off"));
    let json = std::env::var("MILLRACE_LOG").is_ok_and(|format| format == "json");
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry.with(fmt::layer().json()).init()
    } else {
        registry.with(fmt::layer().with_ansi(false)).init()
    }
}

async fn supervise<C, F, R>(process: &str, name: String, run: F, settings: C, guards: Guards) -> ExitCode
where
    F: FnOnce(Service, C) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let service = Service {
        name,
        shutdown: CancellationToken::new(),
        health: Health::default(),
        metrics: Metrics::default(),
        guards,
    };
    if !guards.are_whole() {
        tracing::warn!(?guards, "a test has taken guards away");
    }
    let shutdown = service.shutdown.clone();
    // Boxed: a whole process is one large future, and the stack would keep room for each function that it is handed through.
    let work = Box::pin(run(service, settings));
    tokio::spawn(cancel_on_signal(shutdown.clone()));
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(STOP_MAX).await;
    };
    tokio::select! {
        ended = work => match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(cause) => {
                tracing::error!("{process} ends: {cause:#}");
                ExitCode::FAILURE
            }
        },
        () = overdue => {
            tracing::error!("{process} did not end within {STOP_MAX:?} of being asked to");
            ExitCode::FAILURE
        }
    }
}

async fn cancel_on_signal(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    shutdown.cancel();
}
