//! JSON over HTTP to Avro in Kafka: large bodies and single records.

use crate::{
    load::event,
    peer::perf_producer,
    report::Report,
    stand::{Stand, With, until},
};
use anyhow::ensure;
use bytes::Bytes;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// How long each load lasts.
const FOR: Duration = Duration::from_secs(10);
const WARM: Duration = Duration::from_secs(2);
const BODY_RECORDS: usize = 500;
/// Different bodies, so that no cache is measured.
const BODIES: usize = 50;
/// Kafka's perf producer sends as many.
const PEER_RECORDS: usize = 1_000_000;
const RECORD_BYTES: usize = 270;

pub async fn run(folder: &Path) -> anyhow::Result<Report> {
    let mut report = Report::new("producer");
    let stand = Stand::start(folder, With::Nothing).await?;
    let url = format!("{}/v1/streams/bench_events/records", stand.address("producer")?);
    let first = body(0, 1);
    until("the stream takes records", async || {
        Ok(stand.http.post(&url).body(first.clone()).send().await?.status().is_success())
    })
    .await?;
    for (what, records, connections, goals) in [
        ("500 records a body", BODY_RECORDS, 8, (Some(150_000.0), None)),
        ("1 record a body", 1, 64, (None, Some(20_000.0))),
    ] {
        let bodies: Arc<Vec<Bytes>> = Arc::new((0..BODIES).map(|n| body(n * records, records)).collect());
        load(&stand, &url, &bodies, connections, WARM).await?;
        let (cpu, started) = (stand.cpu_seconds(&["producer"])?, Instant::now());
        let requests = load(&stand, &url, &bodies, connections, FOR).await?;
        let (cpu, wall) = (stand.cpu_seconds(&["producer"])? - cpu, started.elapsed().as_secs_f64());
        let sent = (requests * records) as f64;
        report.add(format!("{what}: records"), sent / wall, "records/s", None);
        report.add(format!("{what}: records"), sent / cpu, "records/CPU-s", goals.0);
        report.add(format!("{what}: requests"), requests as f64 / cpu, "requests/CPU-s", goals.1);
    }
    match perf_producer(&stand, "bench_events", PEER_RECORDS, RECORD_BYTES).await {
        Ok(perf) => {
            let what = "Kafka's perf producer, ready bytes";
            report.add(what, perf.records_per_second, "records/s", None);
            report.add(what, perf.records_per_cpu_second, "records/CPU-s", None);
        }
        // What was measured before it stays worth reading.
        Err(cause) => report.note(format!("Kafka's perf producer has no figures: {cause:#}")),
    }
    report.note(format!("{FOR:?} each; the load's client runs on the same cores. The perf producer sends {RECORD_BYTES} bytes as they are: no JSON, no Avro, no HTTP."));
    stand.stop()?;
    Ok(report.done())
}

fn body(first: usize, records: usize) -> Bytes {
    (first..first + records).map(|n| format!("{}\n", event(n, 10))).collect::<String>().into()
}

/// Posts bodies over `connections` for `length`. Answers how many requests were acknowledged whole.
async fn load(
    stand: &Stand,
    url: &str,
    bodies: &Arc<Vec<Bytes>>,
    connections: usize,
    length: Duration,
) -> anyhow::Result<usize> {
    let mut clients = JoinSet::new();
    let until = Instant::now() + length;
    for client in 0..connections {
        let (http, url, bodies) = (stand.http.clone(), url.to_owned(), bodies.clone());
        clients.spawn(async move {
            let mut requests = 0;
            while Instant::now() < until {
                let body = bodies[(client + requests) % bodies.len()].clone();
                let answer =
                    http.post(&url).header("content-type", "application/x-ndjson").body(body).send().await?;
                ensure!(answer.status().is_success(), "the producer answered {}", answer.status());
                answer.bytes().await?;
                requests += 1;
            }
            Ok(requests)
        });
    }
    let mut requests = 0;
    while let Some(done) = clients.join_next().await {
        requests += done??;
    }
    Ok(requests)
}
