//! A second set of everything, for tests that kill: servers of its own, and our processes as children of the test.
//!
//! The servers are started by `millrace up --only servers`, whose supervisor brings back what is killed. Our processes are
//! started here, so that a test can stop, kill and start each, and can take a guard away from one of them.

mod child;
mod place;

use child::Child;
pub use child::{Signal, send};
use place::Place;

use crate::Outside;
use anyhow::Context;
use cassandra::Cassandra;
use kafka::Cluster;
use model::Secret;
use postgres::PgPool;
use servers::State;
use std::{
    collections::BTreeMap,
    ops::Deref,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Servers, processes, and clients of them.
pub struct Fleet {
    place: Place,
    children: Mutex<BTreeMap<&'static str, Child>>,
    /// The database of runs, slots and cursors.
    pub millrace: PgPool,
    outside: Outside,
}

impl Deref for Fleet {
    type Target = Outside;

    fn deref(&self) -> &Outside {
        &self.outside
    }
}

/// Our processes: the name, and the program.
pub const OURS: [(&str, &str); 10] = [
    ("users-api", "users-api"),
    ("producer", "producer"),
    ("fetcher", "fetcher"),
    ("scheduler", "scheduler"),
    ("coordinator", "coordinator"),
    ("worker-1", "worker"),
    ("worker-2", "worker"),
    ("cassandra-sink", "cassandra-sink"),
    ("postgres-sink", "postgres-sink"),
    ("control-center", "control-center"),
];

/// What is ready later than this will not be, also on a machine that does other things.
const READY_MAX: Duration = Duration::from_secs(180);

impl Fleet {
    /// Starts all, with so many brokers, and waits until all is ready. `name` keeps folders apart.
    pub async fn start(name: &str, brokers: u16) -> anyhow::Result<Self> {
        let place = Place::prepare(name, brokers)?;
        place.millrace(&["up", "--detach", "--only", "servers"])?;
        let password = Secret::new(std::fs::read_to_string(place.password_file())?.trim().to_owned());
        let database = |name| place.postgres_url(name);
        let outside = Outside {
            producer: place.url("producer"),
            cluster: Cluster::new(place.bootstrap()),
            cassandra: Cassandra::connect_now(&place.address("cassandra")).await?,
            analytics: postgres::connect(&database("analytics"), &password).await?,
            http: test_support::http(),
            folder: place.folder.clone(),
        };
        let millrace = postgres::connect(&database("millrace"), &password).await?;
        let fleet = Self { outside, millrace, children: Mutex::default(), place };
        for (name, _) in OURS {
            fleet.start_one(name, "")?;
        }
        for (name, _) in OURS {
            fleet.ready(name).await?;
        }
        Ok(fleet)
    }

    /// Starts a process, with the guards taken away that `breaks` names.
    pub fn start_one(&self, name: &'static str, breaks: &str) -> anyhow::Result<()> {
        self.start_with(name, &[("MILLRACE_TEST_BREAK", breaks)])
    }

    /// Starts a process with some settings of its own, as environment variables.
    pub fn start_with(&self, name: &'static str, settings: &[(&str, &str)]) -> anyhow::Result<()> {
        let (_, program) = OURS.iter().find(|(known, _)| *known == name).context("a process of ours")?;
        let child = Child::spawn(&self.place, name, program, settings)?;
        self.children.lock().unwrap_or_else(PoisonError::into_inner).insert(name, child);
        Ok(())
    }

    /// Ends a process in order and starts it again; waits until it is ready.
    pub async fn restart(&self, name: &'static str, breaks: &str) -> anyhow::Result<()> {
        self.restart_with(&[name], &[("MILLRACE_TEST_BREAK", breaks)]).await
    }

    /// SIGKILL, and the end waited for. Answers the process id that is gone.
    pub fn kill(&self, name: &str) -> anyhow::Result<u32> {
        self.take(name)?.kill()
    }

    /// SIGTERM. Answers how long the end took; an end that takes longer than 10 s, or with an error, is an error.
    pub async fn term(&self, name: &str) -> anyhow::Result<Duration> {
        self.take(name)?.term().await
    }

    /// SIGSTOP or SIGCONT.
    pub fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        let children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.get(name).with_context(|| format!("{name} does not run"))?.signal(signal)
    }

    pub fn pid(&self, name: &str) -> Option<u32> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(Child::pid)
    }

    /// Whether a process has ended by itself.
    pub fn has_ended(&self, name: &str) -> bool {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.get_mut(name).is_none_or(Child::has_ended)
    }

    /// After a story that broke off: everything runs again, nothing is stopped, all guards stand.
    pub async fn mend(&self) -> anyhow::Result<()> {
        for server in servers::read_states(&self.place.home).unwrap_or_default() {
            let _ = self.signal_server(&server.name, Signal::CONT);
        }
        for (name, _) in OURS {
            let _ = self.kill(name);
            self.start_one(name, "")?;
        }
        for (name, _) in OURS {
            self.ready(name).await?;
        }
        Ok(())
    }

    fn take(&self, name: &str) -> anyhow::Result<Child> {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.remove(name).with_context(|| format!("{name} does not run"))
    }

    /// Waits until the process says that it can do its work.
    pub async fn ready(&self, name: &str) -> anyhow::Result<()> {
        self.within(READY_MAX, &format!("{name} is ready"), || self.is_ready(name)).await
    }

    async fn is_ready(&self, name: &str) -> bool {
        let asked = self.http.get(format!("{}/readyz", self.url(name))).timeout(Duration::from_secs(2));
        asked.send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// A server's process id as its supervisor has it, and whether it is healthy.
    pub fn server(&self, name: &str) -> anyhow::Result<(u32, bool)> {
        let states = servers::read_states(&self.place.home).context("read the servers' states")?;
        let state = states.into_iter().find(|state| state.name == name);
        let state = state.with_context(|| format!("there is no server {name}"))?;
        Ok((state.pid.unwrap_or(0), state.state == State::Healthy))
    }

    /// SIGKILL, SIGSTOP or SIGCONT to a server.
    pub fn signal_server(&self, name: &str, signal: Signal) -> anyhow::Result<u32> {
        let (pid, _) = self.server(name)?;
        child::send(pid, signal)?;
        Ok(pid)
    }

    /// Waits until another process stands where `pid` was, and is healthy.
    pub async fn server_is_back(&self, name: &str, pid: u32) -> anyhow::Result<()> {
        self.within(READY_MAX, &format!("{name} is back"), || async {
            self.server(name).is_ok_and(|(now, healthy)| healthy && now != pid)
        })
        .await
    }

    /// `host:port` of a server.
    pub fn address(&self, server: &str) -> String {
        self.place.address(server)
    }

    /// The address of a database, as our processes are told it.
    pub fn postgres_url(&self, database: &str) -> String {
        self.place.postgres_url(database)
    }

    /// Ends processes in order and starts them again with some settings of their own; waits until they are ready.
    pub async fn restart_with(
        &self,
        names: &[&'static str],
        settings: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        for name in names {
            self.term(name).await?;
            self.start_with(name, settings)?;
        }
        for name in names {
            self.ready(name).await?;
        }
        Ok(())
    }

    /// The address of a process of ours: `http://127.0.0.1:port`.
    pub fn url(&self, name: &str) -> String {
        self.place.url(name)
    }

    /// The folder of the pipelines that this fleet runs.
    pub fn pipelines(&self) -> PathBuf {
        self.place.config.join("pipelines")
    }

    /// Prints what our processes have warned of last: of a story that failed, it is half the answer.
    pub fn show_logs(&self) {
        test_support::show_logs(&self.place.logs());
    }

    /// The places at which processes of ours have panicked so far: there should be none.
    pub fn panics(&self) -> Vec<String> {
        test_support::panics(&self.place.logs())
    }

    /// What a process has written to its log, over all its lives.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.log(name)).unwrap_or_default()
    }
}

impl Drop for Fleet {
    /// Nothing is left behind, also when a test panics.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
        let children = std::mem::take(&mut *self.children.lock().unwrap_or_else(PoisonError::into_inner));
        children.into_values().for_each(|child| drop(child.kill()));
        if let Err(cause) = self.place.millrace(&["down", "--wipe"]) {
            eprintln!("the servers of the fault tests may still run: {cause:#}");
        }
    }
}
