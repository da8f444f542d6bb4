//! DAGs, runs, their pages and REST.
//!
//! Four things go on side by side: pipelines are loaded from files and published ([`publish`]), due times become runs ([`due`]),
//! ready tasks are claimed and run ([`executor`]), and pages show it ([`page`], [`live`]). All of them meet only in PostgreSQL,
//! so that a second scheduler may stand beside this one, and executors on other machines.

mod after;
mod api;
mod backfill;
mod checking;
mod config;
mod due;
mod event;
mod executor;
mod figures;
mod foreach;
mod housekeeping;
mod in_time;
mod lineage;
mod live;
mod mask;
mod named;
mod notify;
mod outside;
mod page;
mod publish;
mod results;
mod run;
mod template;
mod together;
mod traces;
mod warden;
mod watch;
mod watched;

pub use config::{Config, Role};
pub use warden::{WARDEN, process::main as warden};

use axum::Router;
use outside::Outside;
use queue::{By, NewRun, Queue};
use service::Service;
use together::Writer;
use uuid::Uuid;

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    let role = "all, or executor: only claims and runs tasks; MILLRACE_NAME tells executors apart";
    service::main_with("scheduler", &[("role", role)], run)
}

/// The whole process.
async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    let pool = tokio::select! {
        pool = postgres::connect(&config.postgres.url, &config.postgres.password) => pool?,
        () = service.shutdown.cancelled() => return Ok(()),
    };
    postgres::migrate(&pool).await?;
    let key = named::Key::of(&config.secrets_key)?;
    let environment = service::config::environment();
    let named = named::Places::new(environment, &config.config_dir, key, pool.clone());
    let (triggers, asked) = together::together();
    let queue = Queue::with_guards(pool, service.guards);
    let outside = Outside::new(&config, queue.clone(), named, triggers)?;
    let making = tokio::spawn(make(queue, service.name.clone(), asked));
    let (lineage, events) = lineage::lineage(&config.lineage);
    let tasks = async {
        let told = lineage::follow(&service, &config, &outside, events);
        let warden = outside.warden.follow(&service);
        tokio::try_join!(executor::follow(&service, &config, &outside, lineage), told, warden).map(drop)
    };
    let ended = match config.role {
        Role::All => tokio::try_join!(all(&service, &config, &outside), tasks).map(drop),
        Role::Executor => tokio::try_join!(service.serve(&config.listen, Router::new()), tasks).map(drop),
    };
    // Whoever asked has been answered.
    making.abort();
    ended
}

/// Pages, and all that goes on beside tasks.
async fn all(service: &Service, config: &Config, outside: &Outside) -> anyhow::Result<()> {
    outside.queue.set_pools(&config.pools).await?;
    figures::show(&service.metrics, outside)?;
    let patches = web::live::channel();
    let work = async {
        tokio::try_join!(
            publish::follow(service, config, outside),
            due::follow(service, config, outside),
            event::follow(service, outside),
            housekeeping::follow(service, config, outside),
            notify::follow(service, config, outside),
            traces::follow(service, config, outside),
            watch::follow(service, outside),
            live::follow(service, outside, patches.clone()),
            live::follow_logs(service, outside, patches.clone()),
        )
        .map(drop)
    };
    let routes = page::routes(outside.clone(), patches.clone()).merge(api::routes(outside.clone()));
    let routes = routes.layer(axum::middleware::from_fn(in_time::answer));
    let routes = routes.merge(web::assets()).layer(web::loopback_only(config.allowed_hosts.clone()));
    tokio::try_join!(service.serve(&config.listen, routes), work).map(drop)
}

/// Makes the runs that people and tasks ask for. Who has asked looks for their tasks at once.
async fn make(queue: Queue, name: String, asked: Writer<(NewRun, By), (Uuid, bool)>) {
    let write = |asked: Vec<(NewRun, By)>| {
        let (queue, name) = (queue.clone(), name.clone());
        async move {
            let asked: Vec<_> = asked.iter().map(|(run, by)| (run, by)).collect();
            queue.trigger_all(&asked, Some(&name)).await
        }
    };
    asked.run(write).await;
}
