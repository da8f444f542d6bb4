//! Topic → Cassandra table, idempotent: `USING TIMESTAMP` is the record's place in its topic.

mod config;
mod requests;
mod statements;
mod table;
mod value;

pub use config::Config;
pub use table::{Table, Tables};

use cassandra::Cassandra;
use service::Service;

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    service::main("cassandra-sink", run)
}

async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    sink::process(&service, &config.listen, pipeline::Store::Cassandra, begin(&service, &config)).await
}

async fn begin(service: &Service, config: &Config) -> sink::Begun<Tables> {
    let (metadata, published) =
        pipeline::published::begin(&config.postgres.url, &config.postgres.password).await?;
    service.health.bad("cassandra", "connecting");
    let cassandra = Cassandra::connect(&config.cassandra.hosts).await;
    service.health.good("cassandra");
    let tables =
        Tables::new(cassandra, config.cassandra.replication, config.writes_in_flight_max, service.guards);
    let context = sink::Context::new(
        service,
        tables,
        &config.kafka.bootstrap,
        &config.registry.url,
        metadata,
        config.batch_records_max,
    )?;
    Ok((context, published))
}
