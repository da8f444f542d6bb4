//! Chores of the repository: `target/debug/xtask test`.

use anyhow::{Context, bail};
use clap::Parser;
use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

#[derive(Parser)]
#[command(about = "Chores of the repository")]
enum Chore {
    /// Starts the real servers and our processes once, runs every test on them, stops them.
    Test {
        /// Handed to `cargo test`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let Chore::Test { arguments } = Chore::parse();
    match test(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("xtask: {cause:#}");
            ExitCode::FAILURE
        }
    }
}

fn test(arguments: &[String]) -> anyhow::Result<()> {
    let stack = Stack::start()?;
    let tested = Command::new("cargo")
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(arguments)
        .env("MILLRACE_TEST_STACK", stack.home.join("stack.json"))
        .env("MILLRACE_TEST_BINARIES", stack.millrace.parent().unwrap_or(Path::new(".")))
        .status()
        .context("run cargo test")?;
    if !tested.success() {
        stack.show_logs();
    }
    stack.stop()?;
    if tested.success() { Ok(()) } else { bail!("tests failed") }
}

/// A stack of its own: free ports, a home and a copy of the configuration under `target/test`, so that tests may edit it.
struct Stack {
    millrace: PathBuf,
    home: PathBuf,
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

impl Stack {
    fn start() -> anyhow::Result<Self> {
        let folder = env::current_dir()?.join("target/test");
        let (home, config) = (folder.join("home"), folder.join("config"));
        let millrace = env::current_dir()?.join("target/debug/millrace");
        fs::create_dir_all(&folder)?;
        let mut environment: Vec<(String, String)> = free_ports(PORTS.len())?
            .into_iter()
            .zip(PORTS)
            .map(|(port, name)| (format!("MILLRACE_PORTS_{name}"), port.to_string()))
            .collect();
        environment.push(("MILLRACE_HOME".into(), home.display().to_string()));
        environment.push(("MILLRACE_CONFIG_DIR".into(), config.display().to_string()));
        let stack = Self { millrace, home, environment };
        // What an earlier run left is not what this one is to see.
        let _ = stack.millrace(&["down", "--wipe"]);
        let _ = fs::remove_dir_all(&config);
        copy(Path::new("config"), &config)?;
        stack.millrace(&["up", "--detach"])?;
        Ok(stack)
    }

    fn millrace(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let status = Command::new(&self.millrace)
            .args(arguments)
            .envs(self.environment.clone())
            .status()
            .context("run millrace")?;
        if status.success() { Ok(()) } else { bail!("millrace {} failed", arguments.join(" ")) }
    }

    fn stop(&self) -> anyhow::Result<()> {
        self.millrace(&["down", "--wipe"])
    }

    fn show_logs(&self) {
        for entry in fs::read_dir(self.home.join("logs")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let told: Vec<&str> =
                text.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
            let name = entry.file_name();
            told.iter().rev().take(10).rev().for_each(|line| eprintln!("{}: {line}", name.display()));
        }
    }
}

/// Ports below the ephemeral range: one from it could be taken by any outgoing connection meanwhile.
fn free_ports(wanted: usize) -> anyhow::Result<Vec<u16>> {
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    let free =
        (first..32_000).chain(12_000..20_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<u16> = free.take(wanted).collect();
    if ports.len() < wanted { bail!("no {wanted} ports are free on this machine") } else { Ok(ports) }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).with_context(|| format!("copy {}", path.display()))?;
        }
    }
    Ok(())
}
