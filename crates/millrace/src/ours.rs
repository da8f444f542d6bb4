//! Our own processes: which there are, and how each is started.

use std::path::{Path, PathBuf};
use std::time::Duration;

use servers::{Before, Health, Kind, Launch, Port, Process, Signal, Stop};

use crate::failure::Failure;
use crate::settings::{Ports, Settings};

/// They finish what they hold within 3 s; the rest is for a busy machine.
const STOP_WITHIN: Duration = Duration::from_millis(3500);
/// What they get of our environment beside `MILLRACE_*`.
const INHERITED: [&str; 2] = ["RUST_LOG", "RUST_BACKTRACE"];
/// Memory that is not used goes back to the system. mimalloc would take its first arena in huge pages, whole: a worker with one
/// slot then holds 26 MB of heap instead of 8. glibc would keep an arena per thread.
const ALLOCATORS: [(&str, &str); 2] = [("MIMALLOC_ARENA_EAGER_COMMIT", "0"), ("MALLOC_ARENA_MAX", "2")];
/// mimalloc gives back what is free after a second, and only where somebody then asks it for something: what a sink's last batch took
/// would stay. Workers keep the second: sooner costs their windows a fifth of their speed.
const SOONER: [(&str, (&str, &str)); 1] = [("cassandra-sink", ("MIMALLOC_PURGE_DELAY", "10"))];

struct Ours {
    name: &'static str,
    binary: &'static str,
    port: u16,
    setting: &'static str,
}

/// In the order in which people think of them: along the way of a record.
fn all(ports: &Ports) -> [Ours; 10] {
    let ours = |name, binary, port, setting| Ours { name, binary, port, setting };
    [
        ours("users-api", "users-api", ports.users_api, "ports.users_api"),
        ours("fetcher", "fetcher", ports.fetcher, "ports.fetcher"),
        ours("producer", "producer", ports.producer, "ports.producer"),
        ours("scheduler", "scheduler", ports.scheduler, "ports.scheduler"),
        ours("coordinator", "coordinator", ports.coordinator, "ports.coordinator"),
        ours("worker-1", "worker", ports.worker_1, "ports.worker_1"),
        ours("worker-2", "worker", ports.worker_2, "ports.worker_2"),
        ours("cassandra-sink", "cassandra-sink", ports.cassandra_sink, "ports.cassandra_sink"),
        ours("postgres-sink", "postgres-sink", ports.postgres_sink, "ports.postgres_sink"),
        ours("control-center", "control-center", ports.control_center, "ports.control_center"),
    ]
}

/// Where a stack's things are: absolute folders.
pub struct Folders<'a> {
    pub home: &'a Path,
    pub config: &'a Path,
    /// The folder of millrace's own program: the others lie beside it.
    pub programs: &'a Path,
}

/// All of ours, each waiting for PostgreSQL only: they retry everything else themselves.
pub fn processes(settings: &Settings, folders: &Folders) -> Result<Vec<Process>, Failure> {
    all(&settings.ports).into_iter().map(|ours| process(settings, folders, ours)).collect()
}

fn process(settings: &Settings, folders: &Folders, ours: Ours) -> Result<Process, Failure> {
    let program = folders.programs.join(ours.binary);
    if !program.is_file() {
        return Err(Failure::Failed(format!(
            "the program {} is not in {}; build all by `cargo build --workspace`, or start `--only servers`",
            ours.binary,
            folders.programs.display()
        )));
    }
    let state = folders.home.join("state").join(ours.name);
    std::fs::create_dir_all(&state).map_err(Failure::io("create", &state))?;
    let config = folders.config.join(format!("{}.toml", ours.binary));
    let address = url(ours.port);
    Ok(Process {
        name: ours.name.into(),
        kind: Kind::Ours,
        ports: vec![Port { number: ours.port, setting: ours.setting.into() }],
        launch: Launch {
            program,
            args: vec!["--config".into(), config.display().to_string()],
            env: environment(settings, folders, &ours, &state),
            folder: None,
            user: None,
        },
        log: servers::log_file(folders.home, ours.name),
        health: Health::Ready(format!("{address}/readyz")),
        needs: vec![servers::POSTGRES.into()],
        before: Before::Nothing,
        stop: Stop { rank: 0, signal: Signal::TERM, within: STOP_WITHIN },
        class_archive: None,
        address,
    })
}

/// Later pairs win: what this stack says overrides what the terminal says.
fn environment(settings: &Settings, folders: &Folders, ours: &Ours, state: &Path) -> Vec<(String, String)> {
    let inherited =
        std::env::vars().filter(|(name, _)| name.starts_with("MILLRACE_") || INHERITED.contains(&&**name));
    let stack = shared(settings, folders).into_iter().map(|(name, value)| (name.to_string(), value));
    let own = [
        ("MILLRACE_NAME", ours.name.to_string()),
        ("MILLRACE_LISTEN", servers::local(ours.port)),
        ("MILLRACE_STATE_DIR", text(state)),
    ];
    let own = own.map(|(name, value)| (name.to_string(), value));
    let sooner = SOONER.iter().filter(|(name, _)| *name == ours.name).map(|(_, setting)| *setting);
    let allocators = ALLOCATORS.into_iter().chain(sooner).map(|(name, value)| (name.into(), value.into()));
    servers::environment().into_iter().chain(allocators).chain(inherited).chain(stack).chain(own).collect()
}

fn shared(settings: &Settings, folders: &Folders) -> Vec<(&'static str, String)> {
    let ports = &settings.ports;
    let brokers = (0..settings.servers.brokers.max(1)).map(|i| servers::local(ports.kafka.saturating_add(i)));
    let database =
        |name| format!("postgres://{}@{}/{name}", servers::POSTGRES_USER, servers::local(ports.postgres));
    let password_file = text(&password_file(folders.home));
    vec![
        ("MILLRACE_KAFKA_BOOTSTRAP", brokers.collect::<Vec<_>>().join(",")),
        ("MILLRACE_REGISTRY_URL", format!("{}{}", url(ports.registry), servers::REGISTRY_API)),
        ("MILLRACE_POSTGRES_URL", database("millrace")),
        ("MILLRACE_POSTGRES_PASSWORD_FILE", password_file.clone()),
        ("MILLRACE_ANALYTICS_URL", database("analytics")),
        ("MILLRACE_ANALYTICS_PASSWORD_FILE", password_file),
        ("MILLRACE_CASSANDRA_HOSTS", servers::local(ports.cassandra)),
        ("MILLRACE_PRODUCER_URL", url(ports.producer)),
        ("MILLRACE_FETCHER_URL", url(ports.fetcher)),
        ("MILLRACE_COORDINATOR_URL", url(ports.coordinator)),
        ("MILLRACE_SCHEDULER_URL", url(ports.scheduler)),
        ("USERS_API", url(ports.users_api)),
        ("MILLRACE_CONFIG_DIR", text(folders.config)),
    ]
}

pub fn password_file(home: &Path) -> PathBuf {
    home.join("secrets/postgres")
}

fn url(port: u16) -> String {
    format!("http://{}", servers::local(port))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
