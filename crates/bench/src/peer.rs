//! Kafka's own load generator, from the jars of the broker: what a Java client takes for the same records.

use crate::stand::Stand;
use anyhow::{Context, bail};
use std::time::Duration;
use tokio::process::Command;

/// What Kafka's perf producer did.
pub struct Perf {
    pub records_per_second: f64,
    pub records_per_cpu_second: f64,
}

const MAIN: &str = "org.apache.kafka.tools.ProducerPerformance";
const WITHIN: Duration = Duration::from_secs(120);

/// Sends `records` of `bytes` each to `topic`, with the producer's settings: idempotent, all replicas, zstd.
pub async fn perf_producer(stand: &Stand, topic: &str, records: usize, bytes: usize) -> anyhow::Result<Perf> {
    let jars = servers::default_cache().join("jars/kafka/*");
    let before = children_cpu()?;
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-cp"]).arg(jars).arg(MAIN);
    command.args([
        "--topic",
        topic,
        "--num-records",
        &records.to_string(),
        "--record-size",
        &bytes.to_string(),
    ]);
    command.args(["--throughput", "-1", "--producer-props"]);
    command.arg(format!("bootstrap.servers={}", stand.address("kafka")?));
    command.args(["acks=all", "enable.idempotence=true", "compression.type=zstd", "linger.ms=2"]);
    let output = tokio::time::timeout(WITHIN, command.kill_on_drop(true).output()).await??;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("Kafka's perf producer failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    // "1000000 records sent, 250000.0 records/sec (54.83 MB/sec), 5.2 ms avg latency, …"
    let last =
        text.lines().rfind(|line| line.contains("records sent")).context("the perf producer said nothing")?;
    let rate = last.split(", ").nth(1).and_then(|part| part.split(' ').next()?.parse().ok());
    Ok(Perf {
        records_per_second: rate.with_context(|| format!("no rate in \"{last}\""))?,
        records_per_cpu_second: records as f64 / (children_cpu()? - before),
    })
}

/// Processor time of children that have ended.
fn children_cpu() -> anyhow::Result<f64> {
    let stat = procfs::process::Process::myself()?.stat()?;
    Ok((stat.cutime + stat.cstime) as f64 / procfs::ticks_per_second() as f64)
}
