//! `GET /api/1.4/`

use crate::{
    Config,
    asked::Asked,
    body,
    fault::{Attempts, Faults, Kind},
    limit::Limit,
    nation::{self, Nation},
    show, user,
};
use anyhow::Context;
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Query, State as Held},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use service::http::problem;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// What a request needs.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    nations: Vec<Nation>,
    seed: String,
    limit: Limit,
    faults: Faults,
    fault_seed: u64,
    slow: Duration,
    attempts: Attempts,
}

impl State {
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Inner {
            nations: nation::all().context("nations.toml")?,
            seed: config.seed.clone(),
            limit: Limit::new(config.users_max, config.window),
            faults: Faults::parse(&config.fault).context("the setting `fault`")?,
            fault_seed: config.fault_seed,
            slow: config.slow,
            attempts: Attempts::default(),
        })))
    }
}

pub fn routes(state: State) -> Router {
    let mut router = Router::new();
    for path in ["/api", "/api/", "/api/1.4", "/api/1.4/"] {
        router = router.route(path, get(users));
    }
    router.with_state(state)
}

type Said = Query<HashMap<String, String>>;

async fn users(
    Held(State(inner)): Held<State>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Query(said): Said,
) -> Response {
    let asked = match Asked::read(&said, &inner.seed, &inner.nations) {
        Ok(asked) => asked,
        Err(reason) => return problem(StatusCode::BAD_REQUEST, reason.to_string()),
    };
    if let Err(wait) = inner.limit.take(client.ip(), asked.results as u64, Instant::now()) {
        return too_many("you have had as many users as one address may have", wait);
    }
    answer(&inner, strike(&inner, &asked), asked).await
}

/// The fault that this request is to meet.
fn strike(inner: &Inner, asked: &Asked) -> Option<Kind> {
    let faults = asked.faults.as_ref().unwrap_or(&inner.faults);
    if faults.is_none() {
        return None;
    }
    let fault_seed = asked.fault_seed.unwrap_or(inner.fault_seed);
    let attempt = inner.attempts.next(fault_seed, &asked.seed, asked.page);
    faults.strike(fault_seed, &asked.seed, asked.page, attempt)
}

async fn answer(inner: &Arc<Inner>, fault: Option<Kind>, asked: Asked) -> Response {
    match fault {
        None => json(render(inner, asked).await.map(Body::from)),
        Some(Kind::TooMany) => too_many("the fault \"429\"", Duration::from_secs(1)),
        Some(Kind::ServerError) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the fault \"500\""),
        Some(Kind::Empty) => json(render(inner, Asked { results: 0, ..asked }).await.map(Body::from)),
        Some(Kind::Slow) => json(render(inner, asked).await.map(|whole| body::slow(whole, inner.slow))),
        Some(Kind::BadJson) => json(render(inner, asked).await.map(|whole| body::half(&whole))),
        Some(Kind::Reset) => json(render(inner, asked).await.map(|whole| body::reset(&whole))),
        Some(Kind::Endless) => json(Ok(body::endless())),
    }
}

/// A large page takes tens of milliseconds: not on a thread that serves others.
async fn render(inner: &Arc<Inner>, asked: Asked) -> Result<Vec<u8>, String> {
    let inner = inner.clone();
    let work =
        move || show::body(&asked, &user::page(&asked, &inner.nations)).map_err(|cause| cause.to_string());
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|cause| Err(cause.to_string()))
}

fn json(body: Result<Body, String>) -> Response {
    match body {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response(),
        Err(cause) => problem(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot make the page: {cause}")),
    }
}

fn too_many(why: &str, wait: Duration) -> Response {
    // Rounded up: a client that comes back on the second must not be early.
    let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
    let mut answer = problem(StatusCode::TOO_MANY_REQUESTS, format!("{why}: come back in {seconds} s"));
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

#[cfg(test)]
mod tests;
