//! Executors: processes that only claim and run tasks. One that dies, and one that was taken for dead.

#![allow(clippy::unwrap_used)]

use e2e::{Folder, Signal, World};
use model::Secret;
use postgres::PgPool;
use rustix::process::{Pid, kill_process};
use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use test_support::{eventually, unique};

/// From the death of an executor to the start of its task elsewhere.
const ELSEWHERE_MAX: Duration = Duration::from_secs(15);
/// Of a task, seconds: longer than a lease.
const TAKES: u32 = 12;

/// A scheduler that runs no tasks itself, and two executors, on a database of their own.
struct Crew {
    members: Vec<Member>,
    pool: PgPool,
    pipelines: tempfile::TempDir,
    url: String,
    http: reqwest::Client,
}

struct Member {
    name: &'static str,
    process: Child,
    log: PathBuf,
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Crew {
    async fn start(breaks: &str) -> Self {
        let world = World::running();
        let database = unique("executors");
        let password = Secret::new(world.stack.postgres_password());
        let pool = postgres::connect(&world.stack.postgres_url(&database), &password).await.unwrap();
        let pipelines = tempfile::tempdir().unwrap();
        std::fs::create_dir(pipelines.path().join("pipelines")).unwrap();
        let ports = servers::free_ports(3).unwrap();
        let member = |name, port: u16, settings: &[(&str, &str)]| {
            Member::start(&world, name, port, &database, &pipelines, settings)
        };
        let members = vec![
            member("leader", ports[0], &[("MILLRACE_TASKS_MAX", "0")]),
            member("one", ports[1], &[("MILLRACE_ROLE", "executor"), ("MILLRACE_TEST_BREAK", breaks)]),
            member("two", ports[2], &[("MILLRACE_ROLE", "executor")]),
        ];
        let url = format!("http://{}", servers::local(ports[0]));
        Self { members, pool, pipelines, url, http: world.http }
    }

    /// A run of tasks that take long, some of which the executor `holder` has. Answers its id, and its DAG's folder.
    async fn held_by(&self, holder: &str) -> (uuid::Uuid, Folder) {
        let task = format!("kind = \"command\"\nrun = [\"sh\", \"-c\", \"sleep {TAKES}; echo done\"]\n");
        // Whoever is free takes one: of several tasks, each executor has some.
        let tasks: String = (0..8).map(|n| format!("[tasks.t{n}]\n{task}")).collect();
        let folder = Folder::add_in(&self.pipelines.path().join("pipelines"), &[("pipeline.toml", "")]);
        folder.write(&format!("dags/{}.toml", folder.name), &tasks);
        let trigger = format!("{}/api/v1/dags/{}/runs", self.url, folder.name);
        let id = eventually("the DAG is published", || async {
            let answer = self.http.post(&trigger).json(&serde_json::json!({})).send().await.ok()?;
            let answer: serde_json::Value = answer.json().await.ok()?;
            answer["run_id"].as_str()?.parse().ok()
        })
        .await;
        eventually(&format!("\"{holder}\" holds a task"), || async {
            (!self.held(id, holder).await.is_empty()).then_some(())
        })
        .await;
        (id, folder)
    }

    /// The tasks that an executor has.
    async fn held(&self, id: uuid::Uuid, holder: &str) -> Vec<String> {
        let statement =
            "SELECT name FROM task WHERE run_id = $1 AND state = 'running' AND holder = $2 ORDER BY name";
        let rows: Vec<(String,)> =
            sqlx::query_as(statement).bind(id).bind(holder).fetch_all(&self.pool).await.unwrap();
        rows.into_iter().map(|(name,)| name).collect()
    }

    fn member(&mut self, name: &str) -> &mut Member {
        self.members.iter_mut().find(|member| member.name == name).unwrap()
    }

    async fn state(&self, id: uuid::Uuid) -> String {
        let row: (String,) = sqlx::query_as("SELECT state FROM run WHERE id = $1")
            .bind(id)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        row.0
    }

    async fn ends(&self, id: uuid::Uuid) -> String {
        eventually("the run ends", || async {
            let state = self.state(id).await;
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
        folder: &tempfile::TempDir,
        settings: &[(&str, &str)],
    ) -> Self {
        let binaries =
            PathBuf::from(std::env::var("MILLRACE_TEST_BINARIES").expect("run the tests with `make test`"));
        let log = folder.path().join(format!("{name}.log"));
        let output = std::fs::File::create(&log).unwrap();
        let process = Command::new(binaries.join("scheduler"))
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
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { name, process, log }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_an_executor_that_dies_begin_elsewhere_within_fifteen_seconds() {
    let mut crew = Crew::start("").await;
    let (id, _folder) = crew.held_by("one").await;
    let lost = crew.held(id, "one").await;
    crew.member("one").process.kill().unwrap();
    let killed = Instant::now();
    eventually("another has its tasks", || async {
        let now = crew.held(id, "two").await;
        let ended: (i64,) = sqlx::query_as(
            "SELECT count(*) FROM task WHERE run_id = $1 AND name = ANY ($2) AND holder = 'two'",
        )
        .bind(id)
        .bind(&lost)
        .fetch_one(&crew.pool)
        .await
        .unwrap();
        (!now.is_empty() && ended.0 == lost.len() as i64).then_some(())
    })
    .await;
    let took = killed.elapsed();
    println!("{} tasks began elsewhere {took:?} after their executor was killed", lost.len());
    assert!(took < ELSEWHERE_MAX, "{took:?}");
    assert_eq!(crew.ends(id).await, "success");
}

/// Stops the executor `one` until another has done its tasks, and lets it go on. Answers the run's state after that, how many results of
/// its tasks were taken from it, and its log.
async fn stopped_and_continued(breaks: &str) -> (i64, String) {
    let mut crew = Crew::start(breaks).await;
    let (id, _folder) = crew.held_by("one").await;
    let lost = crew.held(id, "one").await;
    crew.member("one").signal(Signal::STOP);
    assert_eq!(crew.ends(id).await, "success");
    let ended: Vec<(String, chrono::DateTime<chrono::Utc>)> = ended(&crew, id, &lost).await;
    crew.member("one").signal(Signal::CONT);
    let log = crew.member("one").log.clone();
    let said = eventually("it finds out", || async {
        let said = std::fs::read_to_string(&log).unwrap();
        let changed = ended_now(&crew, id, &lost, &ended).await > 0;
        (changed || said.contains("was refused") || said.contains("not lengthened") || told(&crew, id).await)
            .then_some(said)
    })
    .await;
    (ended_now(&crew, id, &lost, &ended).await, said)
}

/// Whether a task's log says that its holder lost it.
async fn told(crew: &Crew, id: uuid::Uuid) -> bool {
    let statement =
        "SELECT count(*) FROM task_log WHERE run_id = $1 AND line LIKE 'stopped: somebody ended the task%'";
    let row: (i64,) = sqlx::query_as(statement).bind(id).fetch_one(&crew.pool).await.unwrap();
    row.0 > 0
}

async fn ended(
    crew: &Crew,
    id: uuid::Uuid,
    tasks: &[String],
) -> Vec<(String, chrono::DateTime<chrono::Utc>)> {
    sqlx::query_as("SELECT name, ended_at FROM task WHERE run_id = $1 AND name = ANY ($2) ORDER BY name")
        .bind(id)
        .bind(tasks)
        .fetch_all(&crew.pool)
        .await
        .unwrap()
}

/// How many of the tasks have ended once more since.
async fn ended_now(
    crew: &Crew,
    id: uuid::Uuid,
    tasks: &[String],
    before: &[(String, chrono::DateTime<chrono::Utc>)],
) -> i64 {
    let now = ended(crew, id, tasks).await;
    now.iter().zip(before).filter(|(now, before)| now != before).count() as i64
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_executor_says_that_was_taken_for_dead_is_refused() {
    let (taken, said) = stopped_and_continued("").await;
    assert_eq!(taken, 0, "{said}");
    let (taken, said) = stopped_and_continued("any-attempt").await;
    assert!(taken > 0, "without the attempt id, a late answer is taken: {said}");
}
