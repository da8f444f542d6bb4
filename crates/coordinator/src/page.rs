//! The plain page on :7077: workers, jobs and slots.

use crate::Config;
use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use web::live::Patch;

/// What the last round saw.
#[derive(Clone, Debug, Default, Serialize)]
pub struct View {
    pub workers: Vec<WorkerRow>,
    pub slots: Vec<SlotRow>,
}

#[derive(Clone, Debug, Serialize)]
pub struct WorkerRow {
    pub name: String,
    pub address: String,
    pub capacity: usize,
    pub heartbeat_at: DateTime<Utc>,
    pub alive: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct SlotRow {
    pub job: String,
    pub slot: i32,
    pub version: String,
    pub worker: Option<String>,
    pub state: String,
    pub reason: Option<String>,
    pub rows_in: u64,
    /// Records read a second, over the last ten; `None` at the first look.
    pub rate: Option<f64>,
    pub rows_out: u64,
    pub dead: u64,
    pub late: u64,
    pub filtered: u64,
    /// States that the slot keeps in memory.
    pub state_rows: u64,
    pub watermark: Option<DateTime<Utc>>,
    /// Of the whole job, in records; `None` where it is not known.
    pub lag: Option<u64>,
}

type Seen = watch::Receiver<View>;

pub fn routes(seen: Seen, patches: &broadcast::Sender<Patch>, config: &Config) -> Router {
    let patches = patches.clone();
    Router::new()
        .route("/", get(home))
        .route("/api/v1/jobs", get(|State(seen): State<Seen>| async move { Json(seen.borrow().clone()) }))
        .route("/events", get(move || async move { web::live::response(patches.subscribe()) }))
        .with_state(seen)
        .merge(web::assets())
        .layer(web::loopback_only(config.allowed_hosts.clone()))
}

async fn home(State(seen): State<Seen>) -> impl IntoResponse {
    let view = seen.borrow().clone();
    let nav = vec![web::NavItem::new("/", "Jobs", true)];
    web::Page {
        title: "Jobs".into(),
        product: "Coordinator",
        nav,
        live: Some("/events".into()),
        body: html! { div class="stack" { (trouble(&view)) (workers(&view)) (slots(&view)) } },
    }
}

/// Sends what changes to open pages.
pub fn patch(patches: &broadcast::Sender<Patch>, view: &View) {
    for (id, html) in [("trouble", trouble(view)), ("workers", workers(view)), ("slots", slots(view))] {
        // Nobody may be looking.
        let _ = patches.send(Patch::new(id, html));
    }
}

fn trouble(view: &View) -> Markup {
    let reasons: Vec<String> = view
        .slots
        .iter()
        .filter_map(|slot| Some(format!("{}/{}: {}", slot.job, slot.slot, slot.reason.as_ref()?)))
        .collect();
    let homeless = view.slots.iter().filter(|slot| slot.worker.is_none()).count();
    html! {
        div id="trouble" {
            @for reason in &reasons { (web::notice(web::Notice::Error, reason)) }
            @if homeless > 0 { (web::notice(web::Notice::Warning, format!("{homeless} slots have no worker: start one more, or raise `capacity` in config/worker.toml"))) }
        }
    }
}

fn workers(view: &View) -> Markup {
    let row = |worker: &WorkerRow| {
        let slots = view.slots.iter().filter(|slot| slot.worker.as_ref() == Some(&worker.name)).count();
        let state = if worker.alive {
            web::state_as(web::State::Success, "alive")
        } else {
            web::state_as(web::State::Failed, "silent")
        };
        web::Row::with_id(
            format!("worker-{}", worker.name),
            vec![
                html! { (worker.name) },
                state,
                html! { (slots) " of " (worker.capacity) },
                html! { (worker.address) },
                web::time(worker.heartbeat_at),
            ],
        )
    };
    let rows: Vec<_> = view.workers.iter().map(row).collect();
    let headers = ["Worker", "State", "Slots", "Address", "Last heard"].map(web::Header::from);
    let body = if rows.is_empty() {
        web::empty("No worker has reported yet.", "millrace up")
    } else {
        web::table("workers-table", "Workers", &headers, &rows)
    };
    html! { div id="workers" { (web::section("Workers", body)) } }
}

fn slots(view: &View) -> Markup {
    let row = |slot: &SlotRow| {
        let state = match slot.state.as_str() {
            "running" => web::State::Running,
            "failed" => web::State::Failed,
            _ => web::State::Waiting,
        };
        let number = |n: u64| html! { (web::count(n)) };
        web::Row::with_id(
            format!("slot-{}-{}", slot.job, slot.slot),
            vec![
                html! { (slot.job) "/" (slot.slot) },
                web::state_as(state, &slot.state),
                html! { (slot.worker.as_deref().unwrap_or("–")) },
                number(slot.rows_in),
                slot.rate.map_or_else(|| html! { "–" }, web::rate),
                number(slot.rows_out),
                number(slot.dead),
                number(slot.late),
                slot.lag.map_or_else(|| html! { "–" }, number),
                number(slot.state_rows),
                slot.watermark.map_or_else(|| html! { "–" }, web::time),
            ],
        )
    };
    let rows: Vec<_> = view.slots.iter().map(row).collect();
    let numbers =
        ["Read", "Rate", "Written", "Dead", "Late", "Lag of the job", "State rows"].map(web::Header::number);
    let headers: Vec<web::Header> = ["Slot", "State", "Worker"]
        .map(web::Header::from)
        .into_iter()
        .chain(numbers)
        .chain([web::Header::from("Watermark")])
        .collect();
    let body = if rows.is_empty() {
        web::empty("No job is published.", "millrace check")
    } else {
        web::table("slots-table", "Slots", &headers, &rows)
    };
    html! { div id="slots" { (web::section("Slots", body)) } }
}
