//! Topic → Cassandra table, idempotent: `USING TIMESTAMP` is the record's place in its topic.

mod config;
mod table;
mod value;

pub use config::Config;
pub use table::Tables;

use cassandra::Cassandra;
use service::Service;

/// The whole process.
pub async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    let drive = async {
        let metadata = postgres::connect(&config.postgres.url, &config.postgres.password).await?;
        postgres::migrate(&metadata).await?;
        let published = pipeline::published::watch(metadata.clone()).await;
        service.health.bad("cassandra", "connecting");
        let cassandra = Cassandra::connect(&config.cassandra.hosts).await;
        service.health.good("cassandra");
        let tables =
            Tables::new(cassandra, config.cassandra.replication, config.writes_in_flight_max, service.guards);
        let context = sink::Context::new(
            &service,
            tables,
            &config.kafka.bootstrap,
            &config.registry.url,
            metadata,
            config.batch_records_max,
        )?;
        sink::run(context, pipeline::Store::Cassandra, published, service.shutdown.clone()).await;
        anyhow::Ok(())
    };
    let drive = async {
        tokio::select! { ended = drive => ended, () = service.shutdown.cancelled() => Ok(()) }
    };
    tokio::try_join!(service.serve(&config.listen, axum::Router::new()), drive).map(drop)
}
