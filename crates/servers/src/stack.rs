//! What runs, written down: `stack.json` says where everything is, `state.json` how it is just now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::{Error, at};
use crate::identity::Identity;
use crate::process::Kind;
use crate::supervisor::ProcessState;
use crate::write_secret;

/// `HOME/stack.json`: addresses for people and programs, identities for the clean-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    pub supervisor: Identity,
    /// By name: `127.0.0.1:9092` for servers, URLs for what speaks HTTP.
    pub addresses: BTreeMap<String, String>,
    pub postgres_password_file: PathBuf,
    pub config_dir: PathBuf,
    /// In the order in which they are to be stopped.
    pub processes: Vec<Recorded>,
}

/// A child that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub name: String,
    pub kind: Kind,
    #[serde(flatten)]
    pub identity: Identity,
    pub log: PathBuf,
    pub address: String,
}

impl Stack {
    pub fn file(home: &Path) -> PathBuf {
        home.join("stack.json")
    }

    /// `None` where nothing runs or was left.
    pub fn read(home: &Path) -> Option<Stack> {
        read(&Stack::file(home))
    }

    pub fn write(&self, home: &Path) -> Result<(), Error> {
        write(&Stack::file(home), self)
    }

    /// Takes over which children there are now.
    pub fn record(&mut self, states: &[ProcessState]) {
        let recorded = states.iter().filter_map(|state| {
            let identity = Identity { pid: state.pid?, start_time: state.start_time? };
            let (name, log, address) = (state.name.clone(), state.log.clone(), state.address.clone());
            Some(Recorded { name, kind: state.kind, identity, log, address })
        });
        self.processes = recorded.collect();
    }
}

/// `HOME/state.json`
pub fn state_file(home: &Path) -> PathBuf {
    home.join("state.json")
}

pub fn read_states(home: &Path) -> Option<Vec<ProcessState>> {
    read(&state_file(home))
}

pub fn write_states(home: &Path, states: &[ProcessState]) -> Result<(), Error> {
    write(&state_file(home), &states)
}

fn read<T: DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// A reader sees the old or the new file, never half of one.
fn write<T: Serialize>(file: &Path, value: &T) -> Result<(), Error> {
    let text =
        serde_json::to_string_pretty(value).map_err(std::io::Error::other).map_err(at("write", file))?;
    let new = file.with_added_extension("new");
    write_secret(&new, &text)?;
    std::fs::rename(&new, file).map_err(at("rename to", file))
}
