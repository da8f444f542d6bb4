//! A page that lives: `cargo run -p web --example live -- 8099`, then look at http://localhost:8099.
//!
//! It shows how a process puts the crate together: guard, assets, a page, one stream of patches.

use axum::{Form, Router, extract::State as Shared, response::IntoResponse, routing};
use maud::{Markup, html};
use std::{collections::HashMap, sync::Arc, sync::atomic::AtomicU64, sync::atomic::Ordering, time::Duration};
use tokio::sync::broadcast;
use web::{
    Figure, NavItem, Page, Patch, Row, State, confirm, count, figures, filter, live, section, state, table,
};

struct Shown {
    ticks: AtomicU64,
    patches: broadcast::Sender<Patch>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).as_deref().unwrap_or("8099").parse()?;
    let shown = Arc::new(Shown { ticks: AtomicU64::new(0), patches: live::channel() });
    tokio::spawn(tick(Arc::clone(&shown)));
    let router = Router::new()
        .route("/", routing::get(page))
        .route(
            "/events",
            routing::get(|Shared(shown): Shared<Arc<Shown>>| async move {
                live::stream(shown.patches.subscribe())
            }),
        )
        .route("/delete", routing::post(delete))
        .merge(web::assets())
        .layer(web::loopback_only(vec![]))
        .with_state(shown);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(axum::serve(listener, router).await?)
}

/// The work of a process, as far as its pages are concerned.
async fn tick(shown: Arc<Shown>) {
    let mut clock = tokio::time::interval(Duration::from_millis(500));
    loop {
        clock.tick().await;
        let n = shown.ticks.fetch_add(1, Ordering::Relaxed) + 1;
        // Nobody may be looking.
        let _ = shown.patches.send(Patch::new("numbers", numbers(n)));
        let _ = shown.patches.send(Patch::new("tasks-part", tasks(n)));
    }
}

async fn page(Shared(shown): Shared<Arc<Shown>>) -> Page {
    let n = shown.ticks.load(Ordering::Relaxed);
    let body = html! {
        (numbers(n))
        (section("Tasks", html! { (filter("tasks", "Filter tasks")) (tasks(n)) }))
        (confirm("/delete", "Delete topic", "users", "Deletes 12 records."))
    };
    let nav = vec![NavItem::new("/", "DAGs", true), NavItem::new("/runs", "Runs", false)];
    Page { title: "Live".into(), product: "Scheduler", nav, live: Some("/events".into()), body }
}

fn numbers(n: u64) -> Markup {
    let figure = Figure { label: "Ticks".into(), value: count(n), note: html! { "twice a second" } };
    html! { div id="numbers" { (figures(&[figure])) details { summary { "More" } p { "tick " (n) } } } }
}

/// The patch is the table itself, so that its scroll position stays. Rows come and go and change places.
fn tasks(n: u64) -> Markup {
    let row = |k: u64| {
        let how = if (k + n).is_multiple_of(5) { State::Running } else { State::Success };
        let name = format!("task-{k}");
        Row::with_id(name.clone(), vec![html! { a href={ "#" (name) } { (name) } }, state(how), count(k * n)])
    };
    let rows: Vec<Row> = (0..8).map(|k| (k + n / 4) % 9).map(row).collect();
    html! { div id="tasks-part" { (table("tasks", "Tasks", &["Task".into(), "State".into(), web::Header::number("Rows")], &rows)) } }
}

async fn delete(Form(form): Form<HashMap<String, String>>) -> impl IntoResponse {
    format!("confirmed by {:?}\n", form.get("confirm"))
}
