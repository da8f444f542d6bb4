//! End-to-end tests on the running stack: the first tests to read are `tests/life_of_a_record.rs` and `tests/life_of_a_run.rs`.
//!
//! This library is what they share: the stack's outside, asked as a user would ask it ([`World`]), and for the fault tests a
//! [`Fleet`] of their own, whose processes are killed while a [`Story`] is told.

mod blocked;
pub mod chaos;
mod collector;
mod crew;
pub mod evidence;
mod fleet;
mod outside;
mod places;
pub mod probe;
pub mod runs;
mod story;

pub use blocked::Blocked;
pub use collector::collector;
pub use crew::Crew;
pub use fleet::{Fleet, OURS, Signal};
pub use outside::Outside;
pub use story::{REST_MAX, Story};

mod folder;
mod letters;
pub mod live;
mod memory;
mod topic;

pub use folder::Folder;
pub use letters::Letters;
pub use memory::Memory;
pub use topic::first_records;

use cassandra::Cassandra;
use model::Secret;
use postgres::PgPool;
use serde_json::Value;
use std::io::Write;
use test_support::{Stack, eventually, http};

/// Says how far a long test is, at once: a harness that keeps output to the end shows nothing of a test that hangs.
pub fn say(text: &str) {
    // Who cannot be told need not be.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The running stack with its clients.
pub struct World {
    pub stack: Stack,
    pub http: reqwest::Client,
}

impl World {
    pub fn running() -> Self {
        Self { stack: Stack::running(), http: http() }
    }

    pub async fn cassandra(&self) -> Cassandra {
        Cassandra::connect_now(self.stack.address("cassandra")).await.expect("Cassandra answers")
    }

    pub async fn postgres(&self, database: &str) -> PgPool {
        let password = Secret::new(self.stack.postgres_password());
        postgres::connect_now(&self.stack.postgres_url(database), &password)
            .await
            .expect("PostgreSQL answers")
    }

    /// Sends JSON lines to the producer. Answers the status and the body.
    pub async fn send(&self, stream: &str, lines: &str, query: &str) -> (u16, Value) {
        let url = format!("{}/v1/streams/{stream}/records{query}", self.stack.address("producer"));
        let answer = self
            .http
            .post(url)
            .header("content-type", "application/x-ndjson")
            .body(lines.to_owned())
            .send()
            .await
            .expect("the producer answers");
        (answer.status().as_u16(), answer.json().await.expect("its answer is JSON"))
    }

    pub async fn get(&self, process: &str, path: &str) -> Value {
        let answer = self.ask(process, path).await;
        answer.json().await.expect("its answer is JSON")
    }

    pub async fn page(&self, process: &str, path: &str) -> String {
        let answer = self.ask(process, path).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.expect("its answer is text")
    }

    async fn ask(&self, process: &str, path: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.stack.address(process));
        self.http.get(url).send().await.expect("the process answers")
    }

    /// A folder whose one DAG bears its name, once it is published.
    pub async fn published(&self, dag: &str) -> Folder {
        let folder = Folder::add(&[("pipeline.toml", "")]);
        folder.write(&format!("dags/{}.toml", folder.name), dag);
        eventually("the DAG is published", || async {
            let dags = self.get("scheduler", "/api/v1/dags").await;
            dags.as_array()?.iter().any(|dag| dag["name"] == folder.name.as_str()).then_some(())
        })
        .await;
        folder
    }

    /// Triggers a DAG and waits until the run has ended. Answers the run with its tasks.
    pub async fn run_to_the_end(&self, dag: &str, idempotency_key: &str) -> Value {
        let id = self.trigger(dag, idempotency_key).await["run_id"].as_str().expect("a run id").to_owned();
        eventually(&format!("run {id} of {dag} ends"), || async {
            let found = self.get("scheduler", &format!("/api/v1/runs/{id}")).await;
            (!matches!(found["run"]["state"].as_str(), Some("queued" | "running"))).then_some(found)
        })
        .await
    }

    pub async fn trigger(&self, dag: &str, idempotency_key: &str) -> Value {
        let url = format!("{}/api/v1/dags/{dag}/runs", self.stack.address("scheduler"));
        let body = serde_json::json!({ "idempotency_key": idempotency_key });
        let answer = self.http.post(url).json(&body).send().await.expect("the scheduler answers");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
        answer.json().await.expect("its answer is JSON")
    }
}
