//! Runs slots of streaming jobs: Kafka → SQL → Kafka, exactly once.
//!
//! The coordinator writes into PostgreSQL which slots this worker is to run ([`assignment`]); each runs on a thread of its own
//! ([`slot`]), and commits outputs, dead letters, state changes and input offsets in one Kafka transaction. PostgreSQL is for
//! liveness only: a slot that runs goes on without it, and Kafka's epochs keep two owners of a slot apart.

mod assignment;
pub mod checking;
mod config;
mod output;
mod owner;
mod progress;
mod restore;
mod slot;
mod taken;
mod writer;

pub use config::Config;

use service::Service;

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    service::main("worker", run)
}

/// The whole process.
async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    let work = async {
        // Only the way there may be broken off. Slots are told to end and are waited for.
        let begin = pipeline::published::begin(&config.postgres.url, &config.postgres.password);
        let Some(begun) = service.shutdown.run_until_cancelled(begin).await else { return Ok(()) };
        let (pool, published) = begun?;
        assignment::follow(&service, &config, pool, published).await
    };
    tokio::try_join!(service.serve(&config.listen, axum::Router::new()), work).map(drop)
}
