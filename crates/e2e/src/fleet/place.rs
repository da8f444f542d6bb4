//! Where a fleet is: folders, ports, configuration.

use anyhow::{Context, bail};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use test_support::copy_folder;

pub struct Place {
    pub binaries: PathBuf,
    pub folder: PathBuf,
    pub home: PathBuf,
    pub config: PathBuf,
    ports: BTreeMap<&'static str, u16>,
    /// The first broker's port is that of `kafka`, the others' follow it.
    brokers: u16,
}

const SERVERS: [&str; 6] = ["zookeeper", "kafka", "cassandra", "cassandra_storage", "registry", "postgres"];

/// How often each fault of the API happens: two of three answers are bad.
const API_FAULTS: &str = "429:0.1,500:0.1,slow:0.1,empty:0.1,badjson:0.1,reset:0.1,endless:0.1";

/// Where our programs are: beside the one that runs, where nobody says otherwise.
fn binaries() -> anyhow::Result<PathBuf> {
    match std::env::var("MILLRACE_TEST_BINARIES") {
        Ok(folder) => Ok(folder.into()),
        Err(_) => Ok(std::env::current_exe()?.parent().context("the folder of this program")?.to_owned()),
    }
}

impl Place {
    /// Free ports, and a configuration with the pipelines of the fault tests. What an earlier run left is wiped.
    pub fn prepare(name: &str, brokers: u16) -> anyhow::Result<Self> {
        let binaries = fs::canonicalize(binaries()?)?;
        let folder = binaries.parent().context("a target folder")?.join("test-faults").join(name);
        let (home, config) = (folder.join("home"), folder.join("config"));
        let names: Vec<&'static str> = SERVERS.into_iter().chain(super::OURS.map(|(name, _)| name)).collect();
        let place = Self { binaries, folder, home, config, ports: ports(&names, brokers)?, brokers };
        // Where there was nothing to stop, there is no configuration to stop it by either.
        let _ = place.millrace(&["down", "--wipe"]);
        place.configure()?;
        fs::create_dir_all(place.logs())?;
        Ok(place)
    }

    fn configure(&self) -> anyhow::Result<()> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let _ = fs::remove_dir_all(&self.folder);
        fs::create_dir_all(&self.config)?;
        for entry in fs::read_dir(own.join("../../config"))?.flatten() {
            if entry.path().is_file() {
                fs::copy(entry.path(), self.config.join(entry.file_name()))?;
            }
        }
        let pipelines = self.config.join("pipelines");
        copy_folder(&own.join("pipelines"), &pipelines)?;
        fs::write(pipelines.join("events/event.avsc"), checker::SCHEMA)?;
        Ok(())
    }

    /// Runs `millrace` for this fleet's servers.
    pub fn millrace(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(self.binaries.join("millrace"));
        command.args(arguments).env("MILLRACE_HOME", &self.home).env("MILLRACE_CONFIG_DIR", &self.config);
        for server in SERVERS {
            command.env(format!("MILLRACE_PORTS_{}", server.to_uppercase()), self.port(server).to_string());
        }
        command.env("MILLRACE_SERVERS_BROKERS", self.brokers.to_string());
        let output = command.output().context("run millrace")?;
        if !output.status.success() {
            bail!("millrace {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    fn port(&self, name: &str) -> u16 {
        self.ports.get(name).copied().unwrap_or_default()
    }

    pub fn address(&self, name: &str) -> String {
        servers::local(self.port(name))
    }

    /// `host:port` of each broker.
    pub fn bootstrap(&self) -> String {
        let brokers = (0..self.brokers).map(|broker| servers::local(self.port("kafka") + broker));
        brokers.collect::<Vec<_>>().join(",")
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://{}", self.address(name))
    }

    pub fn postgres_url(&self, database: &str) -> String {
        format!("postgres://{}@{}/{database}", servers::POSTGRES_USER, self.address("postgres"))
    }

    pub fn password_file(&self) -> PathBuf {
        self.home.join("secrets/postgres")
    }

    /// The folder of what our processes write.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// What a process of ours is told beside its file.
    pub fn environment(&self, name: &str) -> Vec<(&'static str, String)> {
        let password = self.password_file().display().to_string();
        vec![
            ("MILLRACE_NAME", name.into()),
            ("MILLRACE_LISTEN", self.address(name)),
            ("MILLRACE_KAFKA_BOOTSTRAP", self.bootstrap()),
            ("MILLRACE_REGISTRY_URL", format!("{}{}", self.url("registry"), servers::REGISTRY_API)),
            ("MILLRACE_POSTGRES_URL", self.postgres_url("millrace")),
            ("MILLRACE_POSTGRES_PASSWORD_FILE", password.clone()),
            ("MILLRACE_ANALYTICS_URL", self.postgres_url("analytics")),
            ("MILLRACE_ANALYTICS_PASSWORD_FILE", password),
            ("MILLRACE_CASSANDRA_HOSTS", self.address("cassandra")),
            ("MILLRACE_PRODUCER_URL", self.url("producer")),
            ("MILLRACE_FETCHER_URL", self.url("fetcher")),
            ("MILLRACE_CONFIG_DIR", self.config.display().to_string()),
            ("USERS_API", self.url("users-api")),
            ("MILLRACE_USERS_MAX", "0".into()),
            ("MILLRACE_FAULT", API_FAULTS.into()),
            ("MILLRACE_SLOW", "3s".into()),
        ]
    }
}

/// A free port for each name. Brokers stand side by side, from that of `kafka` on.
fn ports(names: &[&'static str], brokers: u16) -> anyhow::Result<BTreeMap<&'static str, u16>> {
    let side_by_side = usize::from(brokers);
    let mut free = servers::free_ports(names.len() + 8 * side_by_side)?;
    let first = free
        .windows(side_by_side)
        .position(|some| some.windows(2).all(|two| two[0] + 1 == two[1]))
        .context("find free ports side by side")?;
    let kafka = free.drain(first..first + side_by_side).next().context("at least one broker")?;
    let others = names.iter().copied().filter(|name| *name != "kafka");
    Ok(others.zip(free).chain([("kafka", kafka)]).collect())
}
