//! A fetcher with a database of its own, an API and a producer.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use fetcher::Config;
use model::Secret;
use pipeline::Bundle;
use postgres::PgPool;
use serde_json::{Value, json};
use service::{CancellationToken, Health, Metrics, Service, settings::Postgres};
use sqlx::Row;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use test_support::{Stack, eventually, http, unique};
use uuid::Uuid;
use wire::fetch::{Answer, Request};

/// How the API and the producer are.
#[derive(Clone, Copy, PartialEq)]
pub enum Mood {
    Good,
    /// The producer takes so many records, and then no request.
    AwayAfter(usize),
    /// While the producer works, another fetch moves the cursor to page 77.
    MovesTheCursor,
    BuriesTheFirst,
    ApiInTrouble,
}

pub struct World {
    outside: Outside,
    base: String,
    fetcher: String,
    shutdown: CancellationToken,
}

/// What the API and the producer know, and share with the test.
#[derive(Clone)]
struct Outside {
    pool: PgPool,
    pages: Arc<Vec<usize>>,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    mood: Mood,
    asked: Vec<u64>,
    delivered: Vec<String>,
}

type Failed = (u16, String);

impl World {
    /// An API whose pages, from 1, have so many records.
    pub async fn with_pages(pages: &[usize]) -> Self {
        let stack = Stack::running();
        let postgres = Postgres {
            url: stack.postgres_url(&unique("fetcher")),
            password: Secret::new(stack.postgres_password()),
        };
        let pool = postgres::connect(&postgres.url, &postgres.password).await.unwrap();
        postgres::migrate(&pool).await.unwrap();
        let seen = Arc::new(Mutex::new(Seen { mood: Mood::Good, asked: vec![], delivered: vec![] }));
        let outside = Outside { pool, pages: Arc::new(pages.to_vec()), seen };
        let app =
            Router::new().route("/people", get(people)).route("/v1/streams/people/records", post(records));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = app.with_state(outside.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let listen = free_address().await;
        let shutdown = start(&listen, &base, postgres);
        let world = Self { outside, base, fetcher: format!("http://{listen}"), shutdown };
        world.publish(1).await;
        let readyz = format!("{}/readyz", world.fetcher);
        // One client for all looks: making one takes longer than a look, and would starve the fetcher on this thread.
        let client = http();
        let is_ready =
            || async { client.get(&readyz).send().await.ok()?.status().is_success().then_some(()) };
        eventually("the fetcher is ready", is_ready).await;
        world
    }

    /// Publishes another version, and waits until the fetcher follows it.
    pub async fn set_pages_per_run(&self, pages: u32) {
        self.publish(pages).await;
        let follows = || async {
            self.dry_run("people").await.ok()?["url"].as_str()?.contains(&format!("v={pages}")).then_some(())
        };
        eventually("the fetcher follows the new version", follows).await;
        self.outside.seen.lock().unwrap().asked.clear();
    }

    async fn publish(&self, pages: u32) {
        let toml =
            include_str!("people.toml").replace("BASE", &self.base).replace("PAGES", &pages.to_string());
        let files = [("pipeline.toml", toml.as_str()), ("people.avsc", include_str!("people.avsc"))];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let bundle = Bundle { name: "people".into(), files };
        pipeline::Pipeline::parse(&bundle).unwrap_or_else(|problems| panic!("{problems:#?}"));
        pipeline::published::publish(&self.outside.pool, &bundle).await.unwrap();
    }

    pub fn set_mood(&self, mood: Mood) {
        self.outside.seen.lock().unwrap().mood = mood;
    }

    pub async fn fetch(&self, attempt_id: Uuid, run_id: Option<Uuid>) -> Result<Answer, Failed> {
        let request =
            Request { source: "people".into(), attempt_id, run_id, task: run_id.map(|_| "fetch".into()) };
        self.post("/v1/fetch", &json!(request)).await.map(|answer| serde_json::from_value(answer).unwrap())
    }

    pub async fn dry_run(&self, source: &str) -> Result<Value, Failed> {
        self.post("/v1/dry-run", &json!({ "source": source })).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        let answer = http().post(format!("{}{path}", self.fetcher)).json(body).send().await.unwrap();
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        if status.is_success() {
            Ok(body)
        } else {
            Err((status.as_u16(), body["error"].as_str().unwrap_or_default().to_owned()))
        }
    }

    /// The stored cursor.
    pub async fn cursor(&self) -> Value {
        let row =
            sqlx::query("SELECT cursor FROM source_cursor").fetch_optional(&self.outside.pool).await.unwrap();
        row.map(|row| row.get("cursor")).unwrap_or_default()
    }

    pub async fn ids(&self, run_id: Uuid) -> Vec<String> {
        let query = sqlx::query("SELECT id FROM fetched_id WHERE run_id = $1 AND task = 'fetch' ORDER BY id")
            .bind(run_id);
        query.fetch_all(&self.outside.pool).await.unwrap().iter().map(|row| row.get("id")).collect()
    }

    /// The pages that the API was asked for.
    pub fn asked(&self) -> Vec<u64> {
        self.outside.seen.lock().unwrap().asked.clone()
    }

    /// The records that the producer took.
    pub fn delivered(&self) -> Vec<String> {
        self.outside.seen.lock().unwrap().delivered.clone()
    }

    pub async fn metrics(&self) -> String {
        http().get(format!("{}/metrics", self.fetcher)).send().await.unwrap().text().await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn free_address() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

fn start(listen: &str, base: &str, postgres: Postgres) -> CancellationToken {
    let shutdown = CancellationToken::new();
    let service = Service {
        name: "fetcher".into(),
        shutdown: shutdown.clone(),
        health: Health::default(),
        metrics: Metrics::default(),
        guards: Default::default(),
    };
    let config = Config {
        listen: listen.into(),
        producer_url: base.into(),
        users_api: base.into(),
        proxy: String::new(),
        postgres,
    };
    tokio::spawn(async move {
        fetcher::run(service, config).await.unwrap_or_else(|cause| panic!("the fetcher ended: {cause:#}"))
    });
    shutdown
}

async fn people(State(outside): State<Outside>, Query(query): Query<HashMap<String, String>>) -> Response {
    let page: u64 = query["page"].parse().unwrap();
    let mut seen = outside.seen.lock().unwrap();
    seen.asked.push(page);
    if seen.mood == Mood::ApiInTrouble {
        return Json(json!({"error": "in trouble"})).into_response();
    }
    let size = outside.pages.get(page as usize - 1).copied().unwrap_or(0);
    let people: Vec<_> =
        (0..size).map(|n| json!({"uuid": format!("{page}-{n}"), "no": page, "secret": "stays"})).collect();
    Json(json!({ "results": people })).into_response()
}

async fn records(State(outside): State<Outside>, body: String) -> Response {
    let mood = outside.seen.lock().unwrap().mood;
    if mood == Mood::MovesTheCursor {
        let moved = sqlx::query("UPDATE source_cursor SET cursor = '{\"page\": 77}', version = version + 1");
        moved.execute(&outside.pool).await.unwrap();
    }
    let mut seen = outside.seen.lock().unwrap();
    if matches!(mood, Mood::AwayAfter(records) if seen.delivered.len() >= records) {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": "the broker is away"})))
            .into_response();
    }
    let first = seen.delivered.len();
    seen.delivered.extend(body.lines().map(str::to_owned));
    let result = |n: usize| match mood {
        Mood::BuriesTheFirst if n == 0 => {
            json!({"status": "dead", "reason": "no id", "partition": 0, "offset": 0})
        }
        _ => json!({"status": "written", "partition": 0, "offset": n}),
    };
    let results: Vec<Value> = (first..seen.delivered.len()).map(result).collect();
    Json(json!({"accepted": results.len(), "dead": 0, "rejected": 0, "results": results})).into_response()
}
