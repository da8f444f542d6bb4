//! The real servers as child processes: ZooKeeper, Kafka, Cassandra, a schema registry and PostgreSQL, without containers.
//!
//! [`install`] brings their files from a Maven repository into a cache folder, checked against lock files. [`servers`] turns
//! settings into [`Process`]es, which are data; a [`Supervisor`] runs them, asks after their health and stops them in order.
//! All ports and folders come from [`Settings`], so that a test starts its own beside those of a developer.
//!
//! Who calls has installed rustls' ring provider before (`rustls::crypto::ring::default_provider().install_default()`).
//!
//! ```no_run
//! # async fn example(settings: servers::Settings) -> Result<(), servers::Error> {
//! let installed = servers::install(&servers::default_cache(), None, &Default::default()).await?;
//! let processes = servers::servers(&settings, &installed).await?;
//! let mut stack = servers::Supervisor::start(processes, std::sync::Arc::new(|_| {}));
//! stack.all_healthy(std::time::Duration::from_secs(120)).await?;
//! stack.stop().await;
//! # Ok(()) }
//! ```

mod settings;

mod download;
mod install;
mod lock;
mod repository;
mod unpack;

mod cassandra;
mod java;
mod kafka;
mod postgres;
mod registry;
mod zookeeper;

mod child;
mod error;
mod identity;
mod ports;
mod process;
mod stack;
mod supervisor;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

pub use child::tail;
pub use error::Error;
pub use identity::Identity;
pub use install::{Installed, default_cache, install};
pub use java::{Java, find as find_java, make_class_archive};
pub use ports::{check_free, free_ports};
pub use postgres::{NAME as POSTGRES, USER as POSTGRES_USER, place_outside as postgres_outside};
pub use process::{Before, Health, Kind, Launch, Port, Process, Stop};
pub use registry::API as REGISTRY_API;
pub use rustix::process::Signal;
pub use settings::{Memory, Ports, Settings, local, log_file};
pub use stack::{Recorded, Stack, read_states, state_file, write_states};
pub use supervisor::{ProcessState, Record, State, Supervisor};

use error::at;

/// What every child gets of our environment.
const INHERITED: [&str; 6] = ["PATH", "HOME", "TZ", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Prepares all servers: writes their configuration, and makes PostgreSQL's cluster if there is none.
pub async fn servers(settings: &Settings, installed: &Installed) -> Result<Vec<Process>, Error> {
    let java = find_java(settings.java.as_deref())?;
    let logs = settings.home.join("logs");
    std::fs::create_dir_all(&logs).map_err(at("create", &logs))?;
    let (postgres, password) = postgres::process(settings, installed).await?;
    let registry = registry::process(settings, installed, &java, &password)?;
    let kafka = kafka::processes(settings, installed, &java)?;
    let zookeeper = zookeeper::process(settings, installed, &java)?;
    let cassandra = cassandra::process(settings, installed, &java)?;
    Ok([registry].into_iter().chain(kafka).chain([zookeeper, cassandra, postgres]).collect())
}

/// The inherited part of a child's environment.
pub fn environment() -> Vec<(String, String)> {
    INHERITED.iter().filter_map(|name| Some((name.to_string(), std::env::var(name).ok()?))).collect()
}

pub(crate) fn write_file(file: &Path, text: &str) -> Result<(), Error> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(at("create", folder))?;
    }
    std::fs::write(file, text).map_err(at("write", file))
}

/// Readable by its owner only, from its first byte on.
pub(crate) fn write_secret(file: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write as _;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(at("create", folder))?;
    }
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(file);
    opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(at("write", file))
}
