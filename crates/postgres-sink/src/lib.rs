//! Topic → PostgreSQL table, exactly once: rows and the offset are one transaction.

mod config;
mod ddl;
mod table;

pub use config::Config;
pub use table::Tables;

use service::Service;

/// The whole process.
pub async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    let drive = async {
        let metadata = postgres::connect(&config.postgres.url, &config.postgres.password).await?;
        postgres::migrate(&metadata).await?;
        let published = pipeline::published::watch(metadata.clone()).await;
        let analytics = postgres::connect(&config.analytics.url, &config.analytics.password).await?;
        let context = sink::Context::new(
            &service,
            Tables::new(analytics),
            &config.kafka.bootstrap,
            &config.registry.url,
            metadata,
            config.batch_records_max,
        )?;
        sink::run(context, pipeline::Store::Postgres, published, service.shutdown.clone()).await;
        anyhow::Ok(())
    };
    let drive = async {
        tokio::select! { ended = drive => ended, () = service.shutdown.cancelled() => Ok(()) }
    };
    tokio::try_join!(service.serve(&config.listen, axum::Router::new()), drive).map(drop)
}
