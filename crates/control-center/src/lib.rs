//! Kafka, seen: brokers, topics, messages, consumer groups with their lag, schemas, and the slots of streaming jobs.
//!
//! One task asks Kafka, the schema registry and PostgreSQL and keeps the answers in [`Seen`]; pages and JSON are made from
//! it and never wait for a server. Only messages are read when somebody asks for them. Nothing here changes anything, but that
//! dead letters are sent back when somebody asks.

mod config;
pub mod http;
mod jobs;
pub mod live;
pub mod messages;
pub mod oldest;
pub mod pages;
pub mod picture;
mod poll;
mod schemas;
pub mod seen;
pub mod survey;
mod wrong;

pub use config::Config;
pub use jobs::Slot;
pub use schemas::Subject;
pub use seen::Seen;

use live::Live;
use messages::Browser;
use poll::Poll;
use registry::Registry;
use service::Service;
use tokio::sync::watch;

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    service::main("control-center", run)
}

/// The whole process.
async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    let registry = Registry::new(&config.registry.url)?;
    let browser = Browser::new(&config.kafka.bootstrap, registry.clone(), config.messages_max);
    let (sender, seen) = watch::channel(Seen::default());
    let live = Live::default();
    let dead = http::Dead::new(&config.kafka.bootstrap, config.postgres.clone(), &config.producer_url);
    let state = http::State { seen: seen.clone(), live: live.clone(), browser, dead };
    let routes = http::routes(state, config.allowed_hosts.clone());
    let poll = Poll { config: config.clone(), registry, seen: sender, service: service.clone() };
    let (served, (), ()) = tokio::join!(
        service.serve(&config.listen, routes),
        poll.run(),
        live.publish(seen, &service.shutdown)
    );
    served
}
