//! Topic → PostgreSQL table, exactly once: rows and the offset are one statement, and so one transaction.

mod columns;
mod config;
mod ddl;
mod table;

pub use config::Config;
pub use table::{Table, Tables};

use service::Service;

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    service::main("postgres-sink", run)
}

async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    sink::process(&service, &config.listen, pipeline::Store::Postgres, begin(&service, &config)).await
}

async fn begin(service: &Service, config: &Config) -> sink::Begun<Tables> {
    let (metadata, published) =
        pipeline::published::begin(&config.postgres.url, &config.postgres.password).await?;
    let analytics = postgres::connect(&config.analytics.url, &config.analytics.password).await?;
    let context = sink::Context::new(
        service,
        Tables::new(analytics),
        &config.kafka.bootstrap,
        &config.registry.url,
        metadata,
        config.batch_records_max,
    )?;
    Ok((context, published))
}
