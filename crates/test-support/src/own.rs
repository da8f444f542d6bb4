//! A stack of one's own: free ports, a home and a copy of the configuration in one folder, so that it may be edited and broken.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// A stack that is started and stopped by the program `millrace`.
pub struct OwnStack {
    millrace: PathBuf,
    pub home: PathBuf,
    /// The copy that its processes read.
    pub config: PathBuf,
    environment: Vec<(String, String)>,
}

const PORTS: [&str; 16] = [
    "ZOOKEEPER",
    "KAFKA",
    "CASSANDRA",
    "CASSANDRA_STORAGE",
    "REGISTRY",
    "POSTGRES",
    "USERS_API",
    "FETCHER",
    "PRODUCER",
    "SCHEDULER",
    "COORDINATOR",
    "WORKER_1",
    "WORKER_2",
    "CASSANDRA_SINK",
    "POSTGRES_SINK",
    "CONTROL_CENTER",
];

/// What seals connections and variables: 32 bytes that are no secret.
const SECRETS_KEY: &str = "dGhlIGtleSBvZiB0ZXN0cyBhbmQgb2Ygbm8gb3RoZXI=";

impl OwnStack {
    /// Takes `folder` for a stack of `millrace`, and wipes what an earlier one left there. `config` is copied.
    pub fn new(millrace: &Path, folder: &Path, config: &Path) -> io::Result<Self> {
        let ports = servers::free_ports(PORTS.len()).map_err(io::Error::other)?;
        let mut environment: Vec<(String, String)> = PORTS
            .iter()
            .zip(ports)
            .map(|(name, port)| (format!("MILLRACE_PORTS_{name}"), port.to_string()))
            .collect();
        let stack_home = folder.join("home");
        let copied = folder.join("config");
        environment.push(("MILLRACE_HOME".into(), stack_home.display().to_string()));
        environment.push(("MILLRACE_CONFIG_DIR".into(), copied.display().to_string()));
        environment.push(("MILLRACE_SECRETS_KEY".into(), SECRETS_KEY.into()));
        fs::create_dir_all(folder)?;
        let stack = Self { millrace: millrace.to_owned(), home: stack_home, config: copied, environment };
        // There may be nothing to stop.
        let _ = stack.millrace(&["down", "--wipe"]);
        let _ = fs::remove_dir_all(&stack.config);
        copy_folder(config, &stack.config)?;
        Ok(stack)
    }

    /// Where its addresses stand.
    pub fn file(&self) -> PathBuf {
        self.home.join("stack.json")
    }

    /// Starts it and waits until all is healthy.
    pub fn up(&self) -> io::Result<()> {
        self.millrace(&["up", "--detach"])
    }

    /// Stops it and deletes its data.
    pub fn wipe(&self) -> io::Result<()> {
        self.millrace(&["down", "--wipe"])
    }

    fn millrace(&self, arguments: &[&str]) -> io::Result<()> {
        let status = Command::new(&self.millrace).args(arguments).envs(self.environment.clone()).status()?;
        let failed = || io::Error::other(format!("millrace {} failed", arguments.join(" ")));
        if status.success() { Ok(()) } else { Err(failed()) }
    }

    /// Where processes panicked.
    pub fn panics(&self) -> Vec<String> {
        panics(&self.home.join("logs"))
    }

    /// Prints the last warnings and errors of each process.
    pub fn show_logs(&self) {
        show_logs(&self.home.join("logs"));
    }
}

/// Prints the last warnings and errors of each log in a folder.
pub fn show_logs(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let told: Vec<&str> =
            text.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
        let name = entry.file_name();
        told.iter().rev().take(10).rev().for_each(|line| eprintln!("{}: {line}", name.display()));
    }
}

/// Where processes panicked, by the logs in a folder: the name of the log, and the line that says so.
pub fn panics(folder: &Path) -> Vec<String> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (text, name) = (fs::read(entry.path()).unwrap_or_default(), entry.file_name());
        for line in String::from_utf8_lossy(&text).lines().filter(|line| line.contains("panicked at")) {
            found.push(format!("{}: {line}", name.display()));
        }
    }
    found
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
