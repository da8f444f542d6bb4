//! The schema registry, through its Confluent-compatible API.
//!
//! Registering and looking up by id go through `schema_registry_converter`. Answers are kept for the life of the process: a
//! schema id never changes its meaning. Decisions are made by status and error code, never by an answer's text.

use schema_registry_converter::{
    async_impl::schema_registry::{SrSettings, get_all_subjects, get_schema_by_id, post_schema},
    error::SRCError,
    schema_registry_common::{RawError, SchemaType, SuppliedSchema},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A registry and what it has answered so far.
#[derive(Clone)]
pub struct Registry {
    url: String,
    settings: Arc<SrSettings>,
    http: reqwest::Client,
    by_id: Arc<Mutex<HashMap<u32, Arc<str>>>>,
}

/// Why the registry did not give what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("the schema registry at {url} did not answer: {cause}. Is it running?")]
    Unreachable { url: String, cause: String },
    /// The subject has a schema that readers of the new one could not read.
    #[error(
        "the registry refuses the schema for subject {subject}: {cause}. Add new fields with a default, or use a new stream"
    )]
    Incompatible { subject: String, cause: String },
    #[error("the registry does not know {what}")]
    Unknown { what: String },
}

impl RegistryError {
    /// Whether asking again later may help.
    pub fn passes(&self) -> bool {
        matches!(self, RegistryError::Unreachable { .. })
    }
}

/// One question takes no longer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// More schemas than this in one process are a mistake somewhere.
const KEPT_MAX: usize = 10_000;

/// One version of a subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    pub subject: String,
    pub version: u32,
    pub id: u32,
    pub schema: String,
}

impl Registry {
    pub fn new(url: &str) -> Result<Self, RegistryError> {
        let unreachable = |cause: String| RegistryError::Unreachable { url: url.to_owned(), cause };
        let settings = SrSettings::new_builder(url.to_owned())
            .build_with(client(url))
            .map_err(|cause| unreachable(cause.to_string()))?;
        let http = client(url).build().map_err(|cause| unreachable(cause.to_string()))?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            settings: Arc::new(settings),
            http,
            by_id: Arc::default(),
        })
    }

    /// Registers a schema's canonical text under `subject` and answers its id. The same text gets the same id.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned());
        match post_schema(&self.settings, subject.to_owned(), supplied).await {
            Ok(registered) => {
                self.keep(registered.id, schema.into());
                Ok(registered.id)
            }
            Err(cause) if is_refusal(&cause) => {
                Err(RegistryError::Incompatible { subject: subject.to_owned(), cause: text(&cause) })
            }
            Err(cause) => Err(self.unreachable(&cause)),
        }
    }

    /// The text of the schema with this id.
    pub async fn schema(&self, id: u32) -> Result<Arc<str>, RegistryError> {
        if let Some(known) = self.kept().get(&id) {
            return Ok(known.clone());
        }
        match get_schema_by_id(id, &self.settings).await {
            Ok(found) => {
                let schema: Arc<str> = found.schema.into();
                self.keep(id, schema.clone());
                Ok(schema)
            }
            Err(cause) if is_missing(&cause) => {
                Err(RegistryError::Unknown { what: format!("schema id {id}") })
            }
            Err(cause) => Err(self.unreachable(&cause)),
        }
    }

    pub async fn subjects(&self) -> Result<Vec<String>, RegistryError> {
        let mut subjects =
            get_all_subjects(&self.settings).await.map_err(|cause| self.unreachable(&cause))?;
        subjects.sort();
        Ok(subjects)
    }

    /// All versions of a subject, oldest first.
    pub async fn versions(&self, subject: &str) -> Result<Vec<Version>, RegistryError> {
        let mut versions = vec![];
        let numbers: Option<Vec<u32>> = self.get(&format!("/subjects/{subject}/versions")).await?;
        for number in numbers.unwrap_or_default() {
            versions.push(self.get(&format!("/subjects/{subject}/versions/{number}")).await?);
        }
        Ok(versions)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, RegistryError> {
        let unreachable = |cause: reqwest::Error| RegistryError::Unreachable {
            url: self.url.clone(),
            cause: cause.to_string(),
        };
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.map_err(unreachable)?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Err(RegistryError::Unknown { what: path.trim_start_matches('/').to_owned() });
        }
        answer.error_for_status().map_err(unreachable)?.json().await.map_err(unreachable)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<str>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, id: u32, schema: Arc<str>) {
        let mut kept = self.kept();
        if kept.len() < KEPT_MAX {
            kept.insert(id, schema);
        }
    }

    fn unreachable(&self, cause: &SRCError) -> RegistryError {
        RegistryError::Unreachable { url: self.url.clone(), cause: text(cause) }
    }
}

/// Reads the system's certificates only for an address that needs them: they stay in memory, once for each client.
fn client(url: &str) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX);
    let is_plain = reqwest::Url::parse(url).is_ok_and(|url| url.scheme() == "http");
    if is_plain { client.tls_certs_only([]) } else { client }
}

fn text(cause: &SRCError) -> String {
    cause.cause.as_ref().map_or_else(|| cause.error.clone(), |inner| format!("{}: {inner}", cause.error))
}

/// The registry's own error code: the HTTP status, or five digits that begin with it.
fn code(cause: &SRCError) -> Option<u32> {
    let raw = std::error::Error::source(cause)?.downcast_ref::<RawError>()?;
    Some(if raw.error_code > 999 { raw.error_code / 100 } else { raw.error_code })
}

fn is_refusal(cause: &SRCError) -> bool {
    matches!(code(cause), Some(409 | 422))
}

fn is_missing(cause: &SRCError) -> bool {
    code(cause) == Some(404)
}
