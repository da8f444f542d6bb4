//! DAGs, runs, their pages and REST.
//!
//! Four things go on side by side: pipelines are loaded from files and published ([`publish`]), due times become runs ([`due`]),
//! ready tasks are claimed and run ([`executor`]), and pages show it ([`page`], [`live`]). All of them meet only in PostgreSQL,
//! so that a second scheduler may stand beside this one.

mod after;
mod api;
mod backfill;
mod checking;
mod config;
mod due;
mod event;
mod executor;
mod foreach;
mod housekeeping;
mod in_time;
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
mod watch;
mod watched;

pub use config::Config;

use outside::Outside;
use queue::Queue;
use service::Service;

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    service::main("scheduler", run)
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
    let outside = Outside::new(&config, Queue::new(pool), named)?;
    outside.queue.set_pools(&config.pools).await?;
    let patches = web::live::channel();
    let work = async {
        tokio::try_join!(
            publish::follow(&service, &config, &outside),
            due::follow(&service, &config, &outside),
            event::follow(&service, &outside),
            executor::follow(&service, &config, &outside),
            housekeeping::follow(&service, &config, &outside),
            notify::follow(&service, &config, &outside),
            watch::follow(&service, &outside),
            live::follow(&service, &outside, patches.clone()),
            live::follow_logs(&service, &outside, patches.clone()),
        )
        .map(drop)
    };
    let routes = page::routes(outside.clone(), patches.clone()).merge(api::routes(outside.clone()));
    let routes = routes.layer(axum::middleware::from_fn(in_time::answer));
    let routes = routes.merge(web::assets()).layer(web::loopback_only(config.allowed_hosts.clone()));
    tokio::try_join!(service.serve(&config.listen, routes), work).map(drop)
}
