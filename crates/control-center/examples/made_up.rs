//! Pages of a made-up cluster: `cargo run -p control-center --example made_up -- 9921`, then look at
//! http://localhost:9921 and http://localhost:9921/made-up/messages. A second argument `trouble` breaks something.

#[allow(clippy::unwrap_used)]
#[path = "../tests/it/made_up.rs"]
mod made_up;

use axum::routing::get;
use chrono::Utc;
use control_center::{
    http::{self, State},
    live::Live,
    messages::{Asked, Browser, LIMIT},
    pages,
};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().as_deref().unwrap_or("9921").parse()?;
    let trouble = arguments.next().as_deref() == Some("trouble");
    let (_sender, seen) = watch::channel(made_up::seen(Utc::now(), trouble));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let browser = Browser::new("127.0.0.1:1", registry::Registry::new("http://127.0.0.1:1")?, 200);
    let messages = get(async || {
        let asked = Asked { partition: Some(0), ..Asked::default() };
        pages::messages("users", &asked, LIMIT, Ok(&made_up::found(Utc::now())))
    });
    let database = service::settings::Postgres {
        url: "postgres://127.0.0.1:1/none".into(),
        password: model::Secret::new(""),
    };
    let dead = http::Dead::new("127.0.0.1:1", database, "http://127.0.0.1:1");
    let routes = http::routes(State { seen, live: Live::default(), browser, dead }, vec![])
        .route("/made-up/messages", messages);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(axum::serve(listener, routes).await?)
}
