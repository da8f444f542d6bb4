//! What tests need of the running stack: where its servers are, names of their own, and waiting for a condition.
//!
//! The stack is started once per test run by `make test` and shared; a test takes topics, keyspaces and schemas of its own.

mod own;

pub use own::{OwnStack, copy_folder, panics, show_logs};

use serde::Deserialize;
use std::{collections::BTreeMap, future::Future, path::PathBuf, time::Duration};

/// Where the servers and processes of the stack are.
#[derive(Clone, Debug, Deserialize)]
pub struct Stack {
    pub addresses: BTreeMap<String, String>,
    pub postgres_password_file: PathBuf,
}

impl Stack {
    /// The stack that `MILLRACE_TEST_STACK` names. A test that cannot have it fails: it must not pass unrun.
    pub fn running() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = std::env::var("MILLRACE_TEST_STACK")
            .expect("MILLRACE_TEST_STACK names the stack's file: run the tests with `make test`");
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|cause| panic!("cannot read {file}: {cause}"));
        serde_json::from_str(&text).unwrap_or_else(|cause| panic!("{file} is not a stack's file: {cause}"))
    }

    /// The address of a server or process, such as `kafka` or `scheduler`.
    pub fn address(&self, name: &str) -> &str {
        self.addresses.get(name).unwrap_or_else(|| panic!("the stack has no {name}"))
    }

    pub fn postgres_password(&self) -> String {
        std::fs::read_to_string(&self.postgres_password_file)
            .expect("the password's file can be read")
            .trim()
            .to_owned()
    }

    /// The address of a database of the stack's PostgreSQL, without the password.
    pub fn postgres_url(&self, database: &str) -> String {
        format!("postgres://millrace@{}/{database}", self.address("postgres"))
    }
}

/// The folder of the programs under test.
pub fn binaries() -> PathBuf {
    PathBuf::from(std::env::var("MILLRACE_TEST_BINARIES").expect("run the tests with `make test`"))
}

/// A name that no other test has: `prefix_` and eight hexadecimal digits.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", &uuid::Uuid::new_v4().simple().to_string()[..8])
}

/// How long a condition may take on a busy machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until `condition` gives a value, and fails with `what` when that takes longer than [`PATIENCE`].
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let looking = async {
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        loop {
            pause.tick().await;
            if let Some(found) = condition().await {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// An HTTP client that uses no proxy and gives up after a minute.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(60))
        .build()
        .expect("a client can be built")
}
