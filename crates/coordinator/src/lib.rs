//! Decides which worker runs which slot of which job, and shows it.
//!
//! It talks with workers only through PostgreSQL: they write heartbeats, it writes assignments. Workers run on while it is away.

mod config;
mod decide;
mod lag;
mod page;
mod rate;
mod recut;
mod rounds;

pub use config::Config;

use service::Service;

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    service::main("coordinator", run)
}

/// The whole process.
async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    let (view, seen) = tokio::sync::watch::channel(page::View::default());
    let patches = web::live::channel();
    let work = async {
        let (pool, published) =
            pipeline::published::begin(&config.postgres.url, &config.postgres.password).await?;
        rounds::run(&service, &config, pool, published, view, patches.clone()).await
    };
    let work = async {
        tokio::select! { ended = work => ended, () = service.shutdown.cancelled() => Ok(()) }
    };
    let routes = page::routes(seen, &patches, &config);
    tokio::try_join!(service.serve(&config.listen, routes), work).map(drop)
}
