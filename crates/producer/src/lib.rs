//! HTTP in, Avro out: validates records against their stream's schema, writes them to Kafka, answers when they are durable.
//!
//! `POST /v1/streams/{stream}/records` takes one JSON record, an array of them, or JSON lines, plain or compressed (gzip, zstd).

mod admission;
mod body;
mod config;
mod http;
mod ingest;
mod streams;

pub use config::Config;

use kafka::{Cluster, Sender};
use registry::Registry;
use service::Service;
use streams::Streams;

/// The process, from its command line to its exit code. It is in the library, or the program beside it would compile all of it again.
pub fn main() -> std::process::ExitCode {
    service::main("producer", run)
}

/// The whole process.
async fn run(service: Service, config: Config) -> anyhow::Result<()> {
    let streams = Streams::default();
    let sender = Sender::new(&config.kafka.bootstrap)?;
    let state = http::State::new(&service, &config, streams.clone(), sender.clone())?;
    let follow = async {
        let (_, published) =
            pipeline::published::begin(&config.postgres.url, &config.postgres.password).await?;
        let cluster = Cluster::new(&config.kafka.bootstrap);
        streams.follow(published, cluster, Registry::new(&config.registry.url)?, &service).await;
        anyhow::Ok(())
    };
    let routes = http::routes(state);
    tokio::try_join!(service.serve(&config.listen, routes), follow)?;
    sender.flush(kafka_flush_max())?;
    Ok(())
}

/// What is on its way at the end gets so long to be confirmed.
fn kafka_flush_max() -> std::time::Duration {
    std::time::Duration::from_secs(5)
}
