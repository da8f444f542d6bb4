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
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};

/// How long each load lasts.
const FOR: Duration = Duration::from_secs(10);
const WARM: Duration = Duration::from_secs(2);
const BODY_RECORDS: usize = 500;
/// Different bodies, so that no cache is measured.
const BODIES: usize = 50;
const RECORDS: &str = "/v1/streams/bench_events/records";
/// Kafka's perf producer sends as many.
const PEER_RECORDS: usize = 1_000_000;
const RECORD_BYTES: usize = 270;

pub async fn run(folder: &Path) -> anyhow::Result<Report> {
    let mut report = Report::new("producer");
    let stand = Stand::start(folder, With::Nothing).await?;
    let producer = stand.address("producer")?;
    let url = format!("{producer}{RECORDS}");
    let address = producer.trim_start_matches("http://");
    let first = body(0, 1);
    until("the stream takes records", async || {
        Ok(stand.http.post(&url).body(first.clone()).send().await?.status().is_success())
    })
    .await?;
    for (what, records, connections, goals) in [
        ("500 records a body", BODY_RECORDS, 8, (Some(150_000.0), None)),
        ("1 record a body", 1, 256, (None, Some(20_000.0))),
    ] {
        let bodies: Arc<Vec<Bytes>> = Arc::new((0..BODIES).map(|n| request(n * records, records)).collect());
        load(address, &bodies, connections, WARM).await?;
        let (cpu, started) = (stand.cpu_seconds(&["producer"])?, Instant::now());
        let requests = load(address, &bodies, connections, FOR).await?;
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

/// A request for so many records, whole.
fn request(first: usize, records: usize) -> Bytes {
    let body = body(first, records);
    let head = format!(
        "POST {RECORDS} HTTP/1.1\r\nhost: producer\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.to_vec()].concat().into()
}

fn body(first: usize, records: usize) -> Bytes {
    (first..first + records).map(|n| format!("{}\n", event(n, 10))).collect::<String>().into()
}

/// Posts bodies over `connections` for `length`. Answers how many requests were acknowledged whole. Bare sockets: the load runs on the
/// same cores, and a client that takes them takes them from who is measured.
async fn load(
    address: &str,
    bodies: &Arc<Vec<Bytes>>,
    connections: usize,
    length: Duration,
) -> anyhow::Result<usize> {
    let mut clients = JoinSet::new();
    let until = Instant::now() + length;
    for client in 0..connections {
        let (address, bodies) = (address.to_owned(), bodies.clone());
        clients.spawn(async move {
            let mut connection = BufReader::new(TcpStream::connect(&address).await?);
            let mut requests = 0;
            while Instant::now() < until {
                post(&mut connection, &bodies[(client + requests) % bodies.len()]).await?;
                requests += 1;
            }
            anyhow::Ok(requests)
        });
    }
    let mut requests = 0;
    while let Some(done) = clients.join_next().await {
        requests += done??;
    }
    Ok(requests)
}

/// Posts one request, head and body, and reads its answer whole.
async fn post(connection: &mut BufReader<TcpStream>, request: &[u8]) -> anyhow::Result<()> {
    connection.write_all(request).await?;
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        ensure!(connection.read_line(&mut head).await? > 0, "the producer closed the connection");
        if let Some(told) = head[start..].to_ascii_lowercase().strip_prefix("content-length:") {
            length = told.trim().parse()?;
        }
    }
    ensure!(head.starts_with("HTTP/1.1 200"), "the producer answered {head}");
    connection.read_exact(&mut vec![0; length]).await?;
    Ok(())
}
