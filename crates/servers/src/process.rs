//! One process to run, as data: the supervisor knows nothing else about it.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::{cassandra, kafka, postgres, registry, zookeeper};

/// A question that takes longer counts as no answer.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What to start, where it writes, how to tell that it is healthy and how to end it.
#[derive(Debug, Clone)]
pub struct Process {
    /// The word that people use for it: `kafka`, `worker-1`.
    pub name: String,
    pub kind: Kind,
    /// Shown to people and written to `stack.json`: `host:port` or a URL.
    pub address: String,
    pub ports: Vec<Port>,
    pub launch: Launch,
    /// Standard output and error are appended here.
    pub log: PathBuf,
    pub health: Health,
    /// Names of processes that are healthy before this one starts.
    pub needs: Vec<String>,
    pub before: Before,
    pub stop: Stop,
    /// A class archive to be made once this is healthy.
    pub class_archive: Option<PathBuf>,
}

/// Is it a third party's server or one of our own processes?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Server,
    Ours,
}

/// A port that must be free, and the setting that changes it.
#[derive(Debug, Clone)]
pub struct Port {
    pub number: u16,
    pub setting: String,
}

/// A command with nothing inherited: what is not in `env` is not there.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub folder: Option<PathBuf>,
    /// Another user to run as: (uid, gid).
    pub user: Option<(u32, u32)>,
}

/// How a process is ended.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// Lower ranks end first; a rank starts when the one before is gone.
    pub rank: u8,
    pub signal: Signal,
    /// How long this rank may take; what earlier ranks did not use is added.
    pub within: Duration,
}

/// What must be true before a start, or the process would end at once.
#[derive(Debug, Clone)]
pub enum Before {
    Nothing,
    /// ZooKeeper has forgotten the broker that had this id and was killed.
    BrokerForgotten {
        zookeeper: String,
        id: u32,
    },
}

/// A question whose answer says that the server works, not merely that it listens.
#[derive(Debug, Clone)]
pub enum Health {
    ZooKeeper(String),
    Kafka(String),
    Cassandra(String),
    /// The server's base URL.
    Registry(String),
    Postgres(String),
    /// A URL that answers 200.
    Ready(String),
}

impl Health {
    /// Asks once; an error says in words what is not yet right.
    pub async fn check(&self, http: &reqwest::Client) -> Result<(), String> {
        let question = async {
            match self {
                Health::ZooKeeper(address) => zookeeper::healthy(address).await,
                Health::Kafka(address) => kafka::healthy(address).await,
                Health::Cassandra(address) => cassandra::healthy(address).await,
                Health::Postgres(address) => postgres::healthy(address).await,
                Health::Registry(url) => registry::healthy(http, url).await,
                Health::Ready(url) => answers_ok(http, url).await,
            }
        };
        tokio::time::timeout(PROBE_TIMEOUT, question)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {PROBE_TIMEOUT:?}")))
    }
}

pub(crate) async fn answers_ok(http: &reqwest::Client, url: &str) -> Result<(), String> {
    let response = http.get(url).send().await.map_err(|error| error.without_url().to_string())?;
    if response.status().is_success() { Ok(()) } else { Err(format!("{url} answers {}", response.status())) }
}

impl Before {
    pub async fn holds(&self) -> bool {
        match self {
            Before::Nothing => true,
            Before::BrokerForgotten { zookeeper, id } => kafka::is_forgotten(zookeeper, *id).await,
        }
    }
}
