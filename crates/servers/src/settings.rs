//! What the servers need to know: folders, ports, memory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone)]
pub struct Settings {
    /// Data, logs and secrets of this stack lie below it. Absolute.
    pub home: PathBuf,
    /// A `bin/java` of Java 17; else one is looked for.
    pub java: Option<PathBuf>,
    pub ports: Ports,
    pub memory: Memory,
}

/// Where each server listens, on 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    pub zookeeper: u16,
    /// One per broker.
    pub kafka: Vec<u16>,
    pub cassandra: u16,
    /// Between Cassandra's nodes; a single node listens there too.
    pub cassandra_storage: u16,
    pub registry: u16,
    pub postgres: u16,
}

/// Bounds in MiB. A Java server takes its heap and 60 to 120 MiB beside it, Cassandra 300.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    pub zookeeper_heap_mb: u32,
    pub kafka_heap_mb: u32,
    pub cassandra_heap_mb: u32,
    pub registry_heap_mb: u32,
    pub postgres_buffers_mb: u32,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory {
            zookeeper_heap_mb: 96,
            kafka_heap_mb: 256,
            cassandra_heap_mb: 320,
            registry_heap_mb: 192,
            postgres_buffers_mb: 64,
        }
    }
}

impl Settings {
    /// The folder of one server's data and configuration.
    pub(crate) fn folder(&self, server: &str) -> PathBuf {
        self.home.join("servers").join(server)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        log_file(&self.home, name)
    }

    /// The file with PostgreSQL's password.
    pub fn postgres_password_file(&self) -> PathBuf {
        self.home.join("secrets/postgres")
    }
}

/// Where the output of the process `name` goes.
pub fn log_file(home: &std::path::Path, name: &str) -> PathBuf {
    home.join("logs").join(format!("{name}.log"))
}

/// `127.0.0.1:port`
pub fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
