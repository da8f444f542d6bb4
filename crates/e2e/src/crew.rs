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
    /// It is started with it again.
    command: Command,
}

impl Crew {
    /// Starts them: the name of each, and its settings as environment variables.
    pub async fn start(wanted: &[(&'static str, &[(&str, &str)])]) -> Self {
        Self::start_with("", wanted).await
    }

    /// The same with more in their configuration's file: sections that the one that ships does not have.
    pub async fn start_with(sections: &str, wanted: &[(&'static str, &[(&str, &str)])]) -> Self {
        let world = World::running();
        let database = unique("crew");
        let password = Secret::new(world.stack.postgres_password());
        let pool =
            postgres::connect(&world.stack.postgres_url(&database), &password).await.expect("a database");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("pipelines")).expect("a folder of pipelines");
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/scheduler.toml");
        let shipped = std::fs::read_to_string(shipped).expect("the configuration that ships");
        let config = format!("{shipped}\n{sections}\n");
        std::fs::write(folder.path().join("scheduler.toml"), config).expect("a configuration");
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
        self.pipeline(&[("pipeline.toml", "")], text)
    }

    /// The same with other files beside its DAG.
    pub fn pipeline(&self, files: &[(&str, &str)], dag: &str) -> Folder {
        let folder = Folder::add_in(&self.folder.path().join("pipelines"), files);
        folder.write(&format!("dags/{}.toml", folder.name), dag);
        folder
    }

    /// Triggers a DAG, once it is published.
    pub async fn trigger(&self, dag: &str) -> Uuid {
        self.trigger_with(dag, &json!({})).await
    }

    /// The same with what a trigger may say.
    pub async fn trigger_with(&self, dag: &str, asked: &Value) -> Uuid {
        let trigger = format!("{}/api/v1/dags/{dag}/runs", self.url);
        eventually("the DAG is published", || async {
            let answer = self.http.post(&trigger).json(asked).send().await.ok()?;
            answer.json::<Value>().await.ok()?["run_id"].as_str()?.parse().ok()
        })
        .await
    }

    /// What the first of them answers to `GET /api/v1/...`; none while it does not.
    pub async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.http.get(format!("{}/api/v1/{path}", self.url)).send().await.ok()?;
        answer.json().await.ok()
    }

    /// What the first of them answers to `POST /api/v1/...`.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1/{path}", self.url);
        let answer = self.http.post(url).json(body).send().await.expect("the scheduler answers");
        (answer.status().as_u16(), answer.json().await.expect("its answer is JSON"))
    }

    /// A page of the first of them, or its `/metrics`.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.expect("it answers");
        answer.text().await.expect("its answer is text")
    }

    /// A task of a run, as REST tells it.
    pub async fn task(&self, run_id: Uuid, name: &str) -> Value {
        let found = self.get(&format!("runs/{run_id}/tasks")).await.unwrap_or_default();
        let task = found.as_array().and_then(|all| all.iter().find(|task| task["name"] == name).cloned());
        task.unwrap_or_default()
    }

    /// Waits until a task gives a reason that begins so.
    pub async fn says(&self, run_id: Uuid, task: &str, reason: &str) -> Value {
        eventually(&format!("\"{task}\" says: {reason}"), || async {
            let found = self.task(run_id, task).await;
            found["reason"].as_str().is_some_and(|told| told.starts_with(reason)).then_some(found)
        })
        .await
    }

    /// A DAG as the list of them has it; none where it is not there.
    pub async fn listed(&self, dag: &str) -> Option<Value> {
        let dags = self.get("dags").await?;
        dags.as_array()?.iter().find(|row| row["name"] == dag).cloned()
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
        let mut command = Command::new(test_support::binaries().join("scheduler"));
        command
            .arg("--config")
            .arg(folder.path().join("scheduler.toml"))
            .env("MILLRACE_NAME", name)
            .env("MILLRACE_LISTEN", servers::local(port))
            .env("MILLRACE_CONFIG_DIR", folder.path())
            .env("MILLRACE_POSTGRES_URL", world.stack.postgres_url(database))
            .env("MILLRACE_POSTGRES_PASSWORD_FILE", &world.stack.postgres_password_file)
            .env("MILLRACE_ANALYTICS_URL", world.stack.postgres_url("analytics"))
            .env("MILLRACE_ANALYTICS_PASSWORD_FILE", &world.stack.postgres_password_file)
            .env("MILLRACE_CASSANDRA_HOSTS", world.stack.address("cassandra"))
            .env("MILLRACE_KAFKA_BOOTSTRAP", world.stack.address("kafka"))
            .env("MILLRACE_TASKS_MAX", "4")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log file"))
            .stderr(output);
        let process = command.spawn().expect("a scheduler");
        Self { name, process, log, command }
    }

    /// Starts it again, after its end, where it was.
    pub fn again(&mut self) {
        self.process.wait().expect("it ends");
        self.process = self.command.spawn().expect("a scheduler");
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
