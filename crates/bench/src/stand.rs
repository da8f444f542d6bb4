//! A stack of the benchmark's own, and the ways to load and to watch it.

use crate::load;
use anyhow::{Context, bail};
use cassandra::Cassandra;
use model::Secret;
use pipeline::Bundle;
use postgres::PgPool;
use serde_json::Value;
use servers::Stack;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use test_support::OwnStack;

/// A running stack.
pub struct Stand {
    own: OwnStack,
    stack: Stack,
    pub http: reqwest::Client,
}

/// Which pipelines the stack has.
#[derive(Clone, Copy, PartialEq)]
pub enum With {
    /// The one that ships.
    Users,
    /// Only the benchmark's own: a stream, at first.
    Nothing,
}

/// The longest that one benchmark waits for one thing.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(100);

impl Stand {
    /// Starts the stack in `folder`, from the programs beside this one.
    pub async fn start(folder: &Path, with: With) -> anyhow::Result<Self> {
        let programs = std::env::current_exe()?;
        let millrace = programs.with_file_name("millrace");
        let folder = std::path::absolute(folder)?;
        let own = OwnStack::new(&millrace, &folder, Path::new("config")).with_context(|| {
            format!("prepare a stack in {}; run this from the project's folder", folder.display())
        })?;
        unlimited(&own.config.join("users-api.toml"))?;
        if with == With::Nothing {
            fs::remove_dir_all(own.config.join("pipelines/users"))?;
            // A producer without a stream has nothing to be ready for.
            write(&own, &[("events.avsc", load::SCHEMA), ("pipeline.toml", load::STREAM)])?;
        }
        own.up().context("start the stack")?;
        let stack = Stack::read(&own.home).context("the stack has left no file")?;
        Ok(Self { own, stack, http: test_support::http() })
    }

    pub fn stop(self) -> anyhow::Result<()> {
        Ok(self.own.wipe()?)
    }

    pub fn address(&self, name: &str) -> anyhow::Result<&str> {
        self.stack.addresses.get(name).map(String::as_str).with_context(|| format!("the stack has no {name}"))
    }

    /// Writes the benchmark's pipeline: the scheduler publishes it within a second. What it would refuse is an error here: nobody
    /// would tell the benchmark, and it would wait in vain.
    pub fn pipeline(&self, files: &[(&str, &str)]) -> anyhow::Result<()> {
        write(&self.own, files)?;
        let bundle = Bundle::read(&folder(&self.own)).map_err(|problem| anyhow::anyhow!("{problem}"))?;
        if let Err(problems) = query::check_bundle(&bundle) {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            bail!("the benchmark's pipeline is refused: {}", problems.join("; "));
        }
        Ok(())
    }

    /// Seconds of processor time that processes have taken so far, user and system, over all their threads.
    pub fn cpu_seconds(&self, processes: &[&str]) -> anyhow::Result<f64> {
        let states = servers::read_states(&self.own.home).context("the stack's states can't be read")?;
        let mut ticks = 0;
        for name in processes {
            let pid = states.iter().find(|state| state.name == *name).and_then(|state| state.pid);
            let stat =
                procfs::process::Process::new(pid.with_context(|| format!("{name} does not run"))? as i32)?
                    .stat()?;
            ticks += stat.utime + stat.stime;
        }
        Ok(ticks as f64 / procfs::ticks_per_second() as f64)
    }

    /// Memory of each of our processes, in bytes, by name.
    pub fn resident(&self) -> anyhow::Result<Vec<(String, servers::Kind, u64)>> {
        let states = servers::read_states(&self.own.home).context("the stack's states can't be read")?;
        let resident = |state: &servers::ProcessState| (state.name.clone(), state.kind, state.rss_bytes);
        Ok(states.iter().map(resident).collect())
    }

    pub async fn cassandra(&self) -> anyhow::Result<Cassandra> {
        Ok(Cassandra::connect_now(self.address("cassandra")?).await?)
    }

    pub async fn analytics(&self) -> anyhow::Result<PgPool> {
        self.postgres("analytics").await
    }

    pub async fn postgres(&self, database: &str) -> anyhow::Result<PgPool> {
        let password = fs::read_to_string(&self.stack.postgres_password_file)?;
        let url = format!("postgres://millrace@{}/{database}", self.address("postgres")?);
        // Made where it is not there.
        Ok(postgres::connect(&url, &Secret::new(password.trim().to_owned())).await?)
    }

    /// What a scheduler beside the stack's needs to reach the servers, with a database of its own.
    pub fn scheduler_environment(&self, database: &str) -> anyhow::Result<Vec<(String, String)>> {
        let url = |name| anyhow::Ok(format!("postgres://millrace@{}/{name}", self.address("postgres")?));
        let password = self.stack.postgres_password_file.display().to_string();
        let set = |name: &str, value: String| (format!("MILLRACE_{name}"), value);
        Ok(vec![
            set("POSTGRES_URL", url(database)?),
            set("POSTGRES_PASSWORD_FILE", password.clone()),
            set("ANALYTICS_URL", url("analytics")?),
            set("ANALYTICS_PASSWORD_FILE", password),
            set("KAFKA_BOOTSTRAP", self.address("kafka")?.to_owned()),
            set("CASSANDRA_HOSTS", self.address("cassandra")?.to_owned()),
        ])
    }

    /// Records that a job has read, over all its slots.
    pub async fn read_by_job(&self, job: &str) -> anyhow::Result<u64> {
        let url = format!("{}/api/v1/jobs", self.address("coordinator")?);
        let view: Value = self.http.get(url).send().await?.json().await?;
        let slots = view["slots"].as_array().cloned().unwrap_or_default();
        Ok(slots.iter().filter(|slot| slot["job"] == job).filter_map(|slot| slot["rows_in"].as_u64()).sum())
    }

    /// A metric of a process, summed over its labels.
    pub async fn metric(&self, url: &str, name: &str) -> anyhow::Result<f64> {
        let text = self.http.get(format!("{url}/metrics")).send().await?.text().await?;
        let values = text.lines().filter(|line| line.starts_with(name));
        Ok(values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}

/// Two fetches of 15 pages are more users than an address may have in five minutes.
fn unlimited(file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    let lifted = text.replace("users_max = 20000", "users_max = 0");
    anyhow::ensure!(text != lifted, "{} does not say users_max = 20000 any more", file.display());
    Ok(fs::write(file, lifted)?)
}

fn folder(own: &OwnStack) -> PathBuf {
    own.config.join("pipelines/bench")
}

fn write(own: &OwnStack, files: &[(&str, &str)]) -> anyhow::Result<()> {
    let folder = folder(own);
    fs::create_dir_all(folder.join("dags"))?;
    for (name, text) in files {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// Waits until `look` answers true.
pub async fn until(what: &str, mut look: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    while !look().await.unwrap_or(false) {
        if started.elapsed() > PATIENCE {
            bail!("waited {PATIENCE:?} in vain: {what}");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
