//! `millrace.toml`: every setting of `millrace up`. Environment variables override; an unknown key is an error with its place.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use servers::Memory;

use crate::failure::Failure;

pub const FILE: &str = "millrace.toml";
const PREFIX: &str = "MILLRACE_";
/// The short name that this setting is known by.
const REPOSITORY_ALIAS: &str = "MILLRACE_MAVEN_REPOSITORY";

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub ports: Ports,
    pub memory: Memory,
    pub servers: Servers,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ports {
    pub zookeeper: u16,
    pub kafka: u16,
    pub cassandra: u16,
    pub cassandra_storage: u16,
    pub registry: u16,
    pub postgres: u16,
    pub users_api: u16,
    pub fetcher: u16,
    pub producer: u16,
    pub scheduler: u16,
    pub coordinator: u16,
    pub worker_1: u16,
    pub worker_2: u16,
    pub cassandra_sink: u16,
    pub postgres_sink: u16,
    pub control_center: u16,
}

/// An empty text stands for "find it out".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Servers {
    pub maven_repository: String,
    pub cache: String,
    pub java: String,
    pub brokers: u16,
    pub start_timeout_seconds: u64,
}

impl Default for Ports {
    fn default() -> Ports {
        Ports {
            zookeeper: 2181,
            kafka: 9092,
            cassandra: 9042,
            cassandra_storage: 7000,
            registry: 8081,
            postgres: 5433,
            users_api: 7071,
            fetcher: 7072,
            producer: 7070,
            scheduler: 8080,
            coordinator: 7077,
            worker_1: 7081,
            worker_2: 7082,
            cassandra_sink: 7091,
            postgres_sink: 7092,
            control_center: 9021,
        }
    }
}

impl Default for Servers {
    fn default() -> Servers {
        let empty = String::new;
        Servers {
            maven_repository: empty(),
            cache: empty(),
            java: empty(),
            brokers: 1,
            start_timeout_seconds: 180,
        }
    }
}

impl Settings {
    /// Reads `folder/millrace.toml` and then the environment.
    pub fn load(folder: &Path, environment: &[(String, String)]) -> Result<Settings, Failure> {
        let file = folder.join(FILE);
        let text = std::fs::read_to_string(&file).map_err(|cause| {
            let next = "run this in the project's folder, or name its configuration by --config DIR";
            Failure::WrongInput(format!("{}: {cause}; {next}", file.display()))
        })?;
        Settings::parse(&text, &file)?.overridden_by(environment)
    }

    fn parse(text: &str, file: &Path) -> Result<Settings, Failure> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Failure::WrongInput(format!(
                "{}:{line}: {}",
                file.display(),
                error.message().trim().replace('\n', ", ")
            ))
        })
    }

    /// `MILLRACE_<SECTION>_<KEY>` for every setting; a name of such a form that is no setting is a mistake.
    fn overridden_by(self, environment: &[(String, String)]) -> Result<Settings, Failure> {
        let bad =
            |name: &str, cause: String| Failure::WrongInput(format!("environment variable {name}: {cause}"));
        let mut settings = self;
        for (name, value) in environment {
            let name = if name == REPOSITORY_ALIAS { "MILLRACE_SERVERS_MAVEN_REPOSITORY" } else { name };
            let mut table = toml::Table::try_from(&settings).map_err(|error| bad(name, error.to_string()))?;
            let Some((section, key)) = table.keys().find_map(|section| section_and_key(name, section)) else {
                continue;
            };
            let place = table.get_mut(&section).and_then(|section| section.get_mut(&key));
            let place = place.ok_or_else(|| bad(name, format!("there is no setting {section}.{key}")))?;
            *place = match place {
                toml::Value::String(_) => toml::Value::String(value.clone()),
                _ => toml::Value::Integer(
                    value.parse().map_err(|_| bad(name, format!("{value:?} is not a number")))?,
                ),
            };
            settings =
                table.try_into().map_err(|error: toml::de::Error| bad(name, error.message().to_string()))?;
        }
        Ok(settings)
    }

    /// What the servers need, for a stack below `home`.
    pub fn for_servers(&self, home: &Path) -> Result<servers::Settings, Failure> {
        let ports = &self.ports;
        let kafka = (0..self.servers.brokers.max(1)).map(|broker| ports.kafka.checked_add(broker));
        let kafka: Option<Vec<u16>> = kafka.collect();
        let kafka =
            kafka.ok_or_else(|| Failure::WrongInput("ports.kafka + servers.brokers is over 65535".into()))?;
        Ok(servers::Settings {
            home: home.into(),
            java: path(&self.servers.java),
            ports: servers::Ports {
                zookeeper: ports.zookeeper,
                kafka,
                cassandra: ports.cassandra,
                cassandra_storage: ports.cassandra_storage,
                registry: ports.registry,
                postgres: ports.postgres,
            },
            memory: self.memory.clone(),
        })
    }

    pub fn cache(&self) -> PathBuf {
        path(&self.servers.cache).unwrap_or_else(servers::default_cache)
    }

    pub fn maven_repository(&self) -> Option<&str> {
        Some(self.servers.maven_repository.as_str()).filter(|address| !address.is_empty())
    }
}

fn section_and_key(name: &str, section: &str) -> Option<(String, String)> {
    let key = name.strip_prefix(PREFIX)?.strip_prefix(&section.to_uppercase())?.strip_prefix('_')?;
    Some((section.into(), key.to_lowercase()))
}

fn path(text: &str) -> Option<PathBuf> {
    if text.is_empty() { None } else { Some(PathBuf::from(text)) }
}

#[cfg(test)]
mod tests;
