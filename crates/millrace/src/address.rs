//! Where the stack is: by the flag `--home`, then by `MILLRACE_*` variables, then by HOME/stack.json, then by the configuration.

use std::collections::HashMap;
use std::path::Path;

use model::Secret;
use servers::Stack;

use crate::cli::Place;
use crate::failure::Failure;
use crate::rest::Rest;

/// What is known about where to ask.
pub struct Addresses {
    place: Place,
    stack: Option<Stack>,
    environment: HashMap<String, String>,
}

/// The file that has the addresses of most things.
const MOST: &str = "scheduler";

impl Addresses {
    pub fn of(place: &Place) -> Addresses {
        let environment = std::env::vars().filter(|(name, _)| name.starts_with("MILLRACE_")).collect();
        Addresses { place: place.clone(), stack: Stack::read(&place.home), environment }
    }

    /// Whether a stack of this machine was written down, or a variable says where another is.
    pub fn are_known(&self) -> bool {
        self.stack.is_some() || self.environment.contains_key("MILLRACE_POSTGRES_URL")
    }

    pub fn scheduler(&self) -> Result<Rest, Failure> {
        self.rest("scheduler", "MILLRACE_SCHEDULER_URL")
    }

    pub fn coordinator(&self) -> Result<Rest, Failure> {
        self.rest("coordinator", "MILLRACE_COORDINATOR_URL")
    }

    pub fn fetcher(&self) -> Result<Rest, Failure> {
        self.rest("fetcher", "MILLRACE_FETCHER_URL")
    }

    pub fn producer(&self) -> Result<String, Failure> {
        self.url("producer", "MILLRACE_PRODUCER_URL")
    }

    /// All brokers, with commas between.
    pub fn kafka(&self) -> Result<String, Failure> {
        let brokers = |stack: &Stack| {
            let brokers = stack.addresses.iter().filter(|(name, _)| name.starts_with("kafka"));
            Some(brokers.map(|(_, address)| address.as_str()).collect::<Vec<_>>().join(","))
        };
        self.find("MILLRACE_KAFKA_BOOTSTRAP", brokers, || self.setting(MOST, &["kafka", "bootstrap"]))
    }

    pub fn registry(&self) -> Result<String, Failure> {
        let url = || self.setting("producer", &["registry", "url"]);
        self.find("MILLRACE_REGISTRY_URL", |stack| stack.addresses.get("registry").cloned(), url)
    }

    pub fn cassandra(&self) -> Result<String, Failure> {
        let hosts = || self.setting(MOST, &["cassandra", "hosts"]);
        self.find("MILLRACE_CASSANDRA_HOSTS", |stack| stack.addresses.get("cassandra").cloned(), hosts)
    }

    /// Millrace's own database: its address and its password.
    pub fn metadata(&self) -> Result<(String, Secret), Failure> {
        self.database("postgres", "millrace")
    }

    /// The database for analysis.
    pub fn analytics(&self) -> Result<(String, Secret), Failure> {
        self.database("analytics", "analytics")
    }

    /// The folder of the configuration: a running stack knows it, where nothing else says it.
    pub fn config_dir(&self) -> &Path {
        match &self.stack {
            Some(stack) if self.place.config_by_default => &stack.config_dir,
            _ => &self.place.config,
        }
    }

    fn rest(&self, process: &'static str, variable: &str) -> Result<Rest, Failure> {
        Rest::new(process, &self.url(process, variable)?)
    }

    fn url(&self, process: &str, variable: &str) -> Result<String, Failure> {
        let listen =
            || Ok(format!("http://{}", self.setting(process, &["listen"])?.replace("0.0.0.0", "127.0.0.1")));
        self.find(variable, |stack| stack.addresses.get(process).cloned(), listen)
    }

    fn database(&self, section: &str, name: &str) -> Result<(String, Secret), Failure> {
        let prefix = format!("MILLRACE_{}", section.to_uppercase());
        let of_stack = |stack: &Stack| {
            let address = stack.addresses.get(servers::POSTGRES)?;
            Some(format!("postgres://{}@{address}/{name}", servers::POSTGRES_USER))
        };
        let url = self.find(&format!("{prefix}_URL"), of_stack, || self.setting(MOST, &[section, "url"]))?;
        // The password of the stack belongs to the address of the stack only.
        let stack = self.stack.as_ref().filter(|stack| of_stack(stack).as_ref() == Some(&url));
        if let (Some(stack), true) = (stack, self.place.home_by_flag) {
            return Ok((url, secret(&stack.postgres_password_file)?));
        }
        let password = match (
            self.variable(&format!("{prefix}_PASSWORD")),
            self.variable(&format!("{prefix}_PASSWORD_FILE")),
        ) {
            (Some(password), _) => Secret::new(password),
            (None, Some(file)) => secret(Path::new(&file))?,
            (None, None) => match stack {
                Some(stack) => secret(&stack.postgres_password_file)?,
                None => Secret::new(self.setting(MOST, &[section, "password"]).unwrap_or_default()),
            },
        };
        Ok((url, password))
    }

    fn find(
        &self,
        variable: &str,
        of_stack: impl Fn(&Stack) -> Option<String>,
        of_config: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<String, Failure> {
        let of_stack = self.stack.as_ref().and_then(of_stack);
        match (of_stack, self.variable(variable)) {
            (Some(found), _) if self.place.home_by_flag => Ok(found),
            (_, Some(found)) | (Some(found), None) => Ok(found),
            (None, None) => of_config(),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).filter(|value| !value.is_empty()).cloned()
    }

    fn setting(&self, process: &str, path: &[&str]) -> Result<String, Failure> {
        let file = self.place.config.join(format!("{process}.toml"));
        let home = self.place.home.display();
        let unknown = |why: String| {
            Failure::WrongInput(format!(
                "it is not known where the stack is: nothing runs under {home}, and {}: {why}. Start it by `millrace up`, or name its folder by --home",
                file.display()
            ))
        };
        let text = std::fs::read_to_string(&file).map_err(|cause| unknown(cause.to_string()))?;
        let table: toml::Value =
            toml::from_str(&text).map_err(|cause| unknown(cause.message().to_string()))?;
        let found = path.iter().try_fold(&table, |value, key| value.get(key)).and_then(toml::Value::as_str);
        found.map(str::to_string).ok_or_else(|| unknown(format!("it has no {}", path.join("."))))
    }
}

fn secret(file: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(file).map_err(Failure::io("read the password in", file))?;
    Ok(Secret::new(text.trim_end()))
}

#[cfg(test)]
mod tests;
