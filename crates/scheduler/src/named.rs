//! Connections and variables: where they come from, and what a task gets of them.
//!
//! The environment goes before the file, and the file before PostgreSQL: what is nearer to the process was meant for it.

mod seal;
mod store;

pub use seal::Key;
pub use store::StoreError;

use crate::mask::Mask;
use pipeline::named::{self, Named};
use queue::By;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

/// All places where values are.
#[derive(Clone)]
pub struct Places {
    environment: Arc<HashMap<String, String>>,
    file: PathBuf,
    key: Option<Arc<Key>>,
    pool: postgres::PgPool,
}

/// What a task may name, and what it must not say.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub connections: Map<String, Value>,
    pub variables: Map<String, Value>,
    pub mask: Mask,
}

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Place {
    #[serde(rename = "environment")]
    Environment,
    #[serde(rename = "file")]
    File,
    PostgreSQL,
}

type Values = BTreeMap<(Named, String), Value>;

impl Places {
    pub fn new(
        environment: HashMap<String, String>,
        config_dir: &std::path::Path,
        key: Option<Key>,
        pool: postgres::PgPool,
    ) -> Self {
        Self {
            environment: Arc::new(environment),
            file: config_dir.join(named::FILE),
            key: key.map(Arc::new),
            pool,
        }
    }

    /// The values that templates name: `connections.warehouse.password`. Nothing is asked where they name none.
    pub async fn given(&self, names: &BTreeSet<String>) -> Result<Given, String> {
        let mut given = Given::default();
        let mut secrets = vec![];
        for (kind, name) in wanted(names) {
            let value = self.value(kind, name).await?;
            secrets.extend(kind.secrets(name, &value));
            match kind {
                Named::Connection => given.connections.insert(name.to_owned(), value),
                Named::Variable => given.variables.insert(name.to_owned(), value),
            };
        }
        given.mask = Mask::new(secrets);
        Ok(given)
    }

    async fn value(&self, kind: Named, name: &str) -> Result<Value, String> {
        let (word, key) = (kind.word(), variable(kind, name));
        if let Some(text) = self.in_environment(&key)? {
            return kind.read(name, as_value(kind, text)).map_err(|cause| format!("{key}: {cause}"));
        }
        if let Some(value) = self.in_file().await?.remove(&(kind, name.to_owned())) {
            return Ok(value);
        }
        match store::get(&self.pool, self.key.as_deref(), kind, name).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(format!(
                "there is no {word} \"{name}\": set it by `millrace {word} set {name}`, in config/{}, or as {key}",
                named::FILE
            )),
            Err(cause) => Err(format!("{word} \"{name}\" can't be read: {cause}")),
        }
    }

    /// What is there under which name, with where it is; never a value.
    pub async fn list(&self, kind: Named) -> Result<Vec<Value>, StoreError> {
        let told = |name: &str, place: Place| json!({ "name": name, "from": place });
        let mut found: BTreeMap<String, Value> = BTreeMap::new();
        for stored in store::list(&self.pool, kind).await? {
            let mut row = told(&stored.name, Place::PostgreSQL);
            row["changed_at"] = json!(stored.changed_at);
            row["changed_by"] = json!(stored.changed_by);
            found.insert(stored.name, row);
        }
        // One that is wrong is told to the task that names it.
        for (_, name) in self.in_file().await.unwrap_or_default().into_keys().filter(|(of, _)| *of == kind) {
            found.insert(name.clone(), told(&name, Place::File));
        }
        for name in self.names_in_environment(kind) {
            found.insert(name.clone(), told(&name, Place::Environment));
        }
        Ok(found.into_values().collect())
    }

    /// Stores a value in PostgreSQL, sealed. What is wrong with it says nothing of it.
    pub async fn set(&self, kind: Named, name: &str, value: Value, by: &By) -> Result<(), StoreError> {
        let wrong = |cause: String| Err(StoreError::Wrong(cause));
        if let Some(problem) = named::name_problem(name) {
            return wrong(problem);
        }
        match kind.read(name, value) {
            Ok(value) => store::set(&self.pool, self.key.as_deref(), kind, name, &value, by).await,
            Err(cause) => wrong(cause),
        }
    }

    /// Takes a value out of PostgreSQL. Answers whether it was there.
    pub async fn delete(&self, kind: Named, name: &str, by: &By) -> Result<bool, StoreError> {
        store::delete(&self.pool, kind, name, by).await
    }

    /// The text of a variable, or of the file that its `_FILE` names.
    fn in_environment(&self, key: &str) -> Result<Option<String>, String> {
        let by_file = format!("{key}_FILE");
        match (self.environment.get(key), self.environment.get(&by_file)) {
            (Some(text), _) => Ok(Some(text.clone())),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Some(text.trim_end().to_owned())),
                Err(cause) => Err(format!("{by_file}: cannot read {path}: {cause}")),
            },
            (None, None) => Ok(None),
        }
    }

    fn names_in_environment(&self, kind: Named) -> BTreeSet<String> {
        let prefix = variable(kind, "");
        let names = self.environment.keys().filter_map(|key| key.strip_prefix(&prefix));
        names.map(|name| name.strip_suffix("_FILE").unwrap_or(name).to_lowercase()).collect()
    }

    /// Read each time: an edit is live at once. A file that is not there holds nothing.
    async fn in_file(&self) -> Result<Values, String> {
        let shown = self.file.display().to_string();
        match tokio::fs::read_to_string(&self.file).await {
            Ok(text) => named::parse(&shown, &text)
                .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Values::new()),
            Err(cause) => Err(format!("{shown}: cannot read it: {cause}")),
        }
    }
}

/// The connections and variables among the names of a template.
fn wanted(names: &BTreeSet<String>) -> BTreeSet<(Named, &str)> {
    names
        .iter()
        .filter_map(|name| {
            let mut parts = name.split('.');
            let kind = match parts.next()? {
                "connections" => Named::Connection,
                "variables" => Named::Variable,
                _ => return None,
            };
            Some((kind, parts.next()?))
        })
        .collect()
}

/// `MILLRACE_CONNECTION_WAREHOUSE`
fn variable(kind: Named, name: &str) -> String {
    format!("{}_{}", prefix(kind), name.to_uppercase())
}

fn prefix(kind: Named) -> &'static str {
    match kind {
        Named::Connection => "MILLRACE_CONNECTION",
        Named::Variable => "MILLRACE_VARIABLE",
    }
}

/// What of our environment no child process gets.
pub fn is_secret_variable(name: &str) -> bool {
    name.starts_with("MILLRACE_SECRETS_KEY")
        || [Named::Connection, Named::Variable].iter().any(|kind| name.starts_with(prefix(*kind)))
}

/// A connection is written as JSON; a text that is none is told as such by what reads it.
fn as_value(kind: Named, text: String) -> Value {
    match kind {
        Named::Connection => serde_json::from_str(&text).unwrap_or_default(),
        Named::Variable => text.into(),
    }
}

#[cfg(test)]
mod tests;
