//! Schedulers of a test's own, on a database and a folder of pipelines of their own.

use crate::{Folder, Signal, World, fleet::send};
use model::Secret;
use postgres::PgPool;
use serde_json::{Value, json};
use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use test_support::{eventually, unique};
use uuid::Uuid;

/// Some schedulers. The first of them is asked.
pub struct Crew {
    members: Vec<Member>,
    pub pool: PgPool,
    folder: TempDir,
    /// Of the first.
    pub url: String,
    http: reqwest::Client,
}

/// One process.
pub struct Member {
    name: &'static str,
    process: Child,
    log: PathBuf,
}

impl Crew {
    /// Starts them: the name of each, and its settings as environment variables.
    pub async fn start(wanted: &[(&'static str, &[(&str, &str)])]) -> Self {
        let world = World::running();
        let database = unique("crew");
        let password = Secret::new(world.stack.postgres_password());
        let pool =
            postgres::connect(&world.stack.postgres_url(&database), &password).await.expect("a database");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("pipelines")).expect("a folder of pipelines");
        let ports = servers::free_ports(wanted.len()).expect("free ports");
        let start = |((name, settings), port): (&(&'static str, &[_]), &u16)| {
            Member::start(&world, name, *port, &database, &folder, settings)
        };
        let members = wanted.iter().zip(&ports).map(start).collect();
        let url = format!("http://{}", servers::local(ports[0]));
        Self { members, pool, folder, url, http: world.http }
    }

    /// A file for a task to write.
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A pipeline whose one DAG bears its name.
    pub fn dag(&self, text: &str) -> Folder {
        let folder = Folder::add_in(&self.folder.path().join("pipelines"), &[("pipeline.toml", "")]);
        folder.write(&format!("dags/{}.toml", folder.name), text);
        folder
    }

    /// Triggers a DAG, once it is published.
    pub async fn trigger(&self, dag: &str) -> Uuid {
        let trigger = format!("{}/api/v1/dags/{dag}/runs", self.url);
        eventually("the DAG is published", || async {
            let answer = self.http.post(&trigger).json(&json!({})).send().await.ok()?;
            answer.json::<Value>().await.ok()?["run_id"].as_str()?.parse().ok()
        })
        .await
    }

    /// What a member has written to its log.
    pub fn said(&self, name: &str) -> String {
        let member = self.members.iter().find(|member| member.name == name);
        std::fs::read_to_string(&member.expect("a member of the crew").log).expect("its log")
    }

    pub fn member(&mut self, name: &str) -> &mut Member {
        self.members.iter_mut().find(|member| member.name == name).expect("a member of the crew")
    }

    /// Waits for a run's end. Answers its state.
    pub async fn ends(&self, run_id: Uuid) -> String {
        eventually("the run ends", || async {
            let state: String = sqlx::query_scalar("SELECT state FROM run WHERE id = $1")
                .bind(run_id)
                .fetch_one(&self.pool)
                .await
                .expect("the run");
            (state != "running" && state != "queued").then_some(state)
        })
        .await
    }
}

impl Member {
    fn start(
        world: &World,
        name: &'static str,
        port: u16,
        database: &str,
        folder: &TempDir,
        settings: &[(&str, &str)],
    ) -> Self {
        let log = folder.path().join(format!("{name}.log"));
        let output = File::create(&log).expect("a log file");
        let process = Command::new(test_support::binaries().join("scheduler"))
            .arg("--config")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/scheduler.toml"))
            .env("MILLRACE_NAME", name)
            .env("MILLRACE_LISTEN", servers::local(port))
            .env("MILLRACE_CONFIG_DIR", folder.path())
            .env("MILLRACE_POSTGRES_URL", world.stack.postgres_url(database))
            .env("MILLRACE_POSTGRES_PASSWORD_FILE", &world.stack.postgres_password_file)
            .env("MILLRACE_KAFKA_BOOTSTRAP", world.stack.address("kafka"))
            .env("MILLRACE_TASKS_MAX", "4")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log file"))
            .stderr(output)
            .spawn()
            .expect("a scheduler");
        Self { name, process, log }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
    }

    pub fn signal(&self, signal: Signal) {
        send(self.process.id(), signal).expect("it runs");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
