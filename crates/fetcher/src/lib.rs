//! Pulls pages from HTTP APIs and hands their records to the producer.
//!
//! The cursor of a source moves only after the producer has said that the records are durable. A fetch that was broken off
//! repeats records, with the same ids; it never skips one.
//!
//! `POST /v1/fetch` is one fetch, idempotent by its attempt; `POST /v1/dry-run` shows what one would send.

mod config;
mod cursor;
mod deliver;
mod fetch;
mod get;
mod http;
mod ledger;
mod page;
mod running;
mod shape;
mod trouble;
mod variables;

pub use config::Config;
pub use page::{Page, PageError};
pub use shape::shape;

use fetch::Fetcher;
use service::Service;
use std::sync::{Arc, OnceLock};

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    service::main("fetcher", run)
}

/// The whole process.
pub async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    let ready = Arc::new(OnceLock::new());
    let routes = http::routes(http::State { fetcher: ready.clone(), shutdown: service.shutdown.clone() });
    let begin = async {
        let (pool, published) =
            pipeline::published::begin(&config.postgres.url, &config.postgres.password).await?;
        // Set once, here: nobody else holds the cell to write.
        let _ = ready.set(Fetcher::new(&service, &config, pool, published)?);
        service.health.good("pipelines");
        anyhow::Ok(())
    };
    let serve = async {
        service.serve(&config.listen, routes).await?;
        anyhow::Ok(())
    };
    // PostgreSQL is waited for as long as it takes, but not beyond the end of the process.
    let begin = async {
        tokio::select! {
            begun = begin => begun,
            () = service.shutdown.cancelled() => Ok(()),
        }
    };
    tokio::try_join!(serve, begin)?;
    Ok(())
}
