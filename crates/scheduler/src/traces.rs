//! Traces of runs for an OpenTelemetry collector: one span for the run, below it one for each attempt of its tasks.
//!
//! A run is told when it has ended, by one of the schedulers, at most once: what the collector does not take is dropped and counted,
//! and holds nothing up. A run that was cleared is told again, whole, when it has ended again.

mod otlp;

use crate::{Config, outside::Outside};
use serde::Deserialize;
use serde_json::Value;
use service::Service;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// `[tracing]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A collector's base address; empty: nothing is told. What OpenTelemetry calls `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub otlp_endpoint: String,
}

/// Runs that have ended are looked for so often: who reads traces does not watch them.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Told together, so that a collector that is slow does not set the pace.
const AT_ONCE: i64 = 64;
/// More that wait are dropped, the oldest first: a collector that is away must not fill the database.
const WAITING_MAX: i64 = 10_000;
/// Runs are noted for so long after the last scheduler that wanted them, and it says so again at a third of that.
const WANTED: Duration = Duration::from_secs(90);
/// One try takes no longer.
const TRY_MAX: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// Of one request: half a megabyte. Collectors take four, mostly.
const SPANS_MAX: usize = 1_000;

/// Tells until the process is to end.
pub async fn follow(service: &Service, config: &Config, outside: &Outside) -> anyhow::Result<()> {
    let told = service.metrics.counters("traces_total", "Traces of runs that have ended", &["outcome"])?;
    // Shown as 0 from the beginning: what is not there can't be seen to grow.
    for outcome in ["sent", "dropped"] {
        told.with_label_values(&[outcome]);
    }
    let count = |outcome, runs| told.with_label_values(&[outcome]).inc_by(runs);
    let endpoint = config.tracing.otlp_endpoint.trim_end_matches('/');
    if endpoint.is_empty() {
        service.shutdown.cancelled().await;
        return Ok(());
    }
    let collector = Collector { outside, url: format!("{endpoint}/v1/traces"), instance: &service.name };
    let mut wanted: Option<Instant> = None;
    while !service.shutdown.is_cancelled() {
        // A collector that hangs must not hold up the end.
        match service.shutdown.run_until_cancelled(collector.look(&mut wanted)).await {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(Batch { sent, dropped }))) => {
                count("sent", sent);
                count("dropped", dropped);
                continue;
            }
            Some(Err(cause)) => tracing::warn!("traces were not looked for: {cause}"),
        }
        tokio::select! { () = tokio::time::sleep(LOOK_AGAIN) => {}, () = service.shutdown.cancelled() => {} }
    }
    Ok(())
}

/// What became of some runs.
struct Batch {
    sent: u64,
    dropped: u64,
}

struct Collector<'a> {
    outside: &'a Outside,
    url: String,
    instance: &'a str,
}

impl Collector<'_> {
    /// Tells of runs that have ended; none: there were none.
    async fn look(&self, wanted: &mut Option<Instant>) -> Result<Option<Batch>, sqlx::Error> {
        let queue = &self.outside.queue;
        if wanted.is_none_or(|at| at.elapsed() > WANTED / 3) {
            postgres::answered(queue.want_traces(WANTED)).await?;
            *wanted = Some(Instant::now());
        }
        let taken = postgres::answered(queue.take_traces(AT_ONCE)).await?;
        if taken.is_empty() {
            return Ok(None);
        }
        let many = taken.len() as u64;
        match self.tell(&taken).await {
            Ok(()) => Ok(Some(Batch { sent: many, dropped: 0 })),
            Err(cause) => {
                let more = postgres::answered(queue.drop_traces(WAITING_MAX)).await?;
                tracing::warn!("{} traces were dropped: {cause}", many + more);
                Ok(Some(Batch { sent: 0, dropped: many + more }))
            }
        }
    }

    async fn tell(&self, runs: &[Uuid]) -> Result<(), String> {
        let found = postgres::answered(self.outside.queue.traced(runs)).await;
        let (runs, attempts) = found.map_err(|cause| format!("the runs can't be read: {cause}"))?;
        let spans: Vec<Value> =
            runs.iter().map(otlp::run).chain(attempts.iter().map(otlp::attempt)).collect();
        for spans in spans.chunks(SPANS_MAX) {
            self.send(&otlp::request(self.instance, spans)).await?;
        }
        Ok(())
    }

    async fn send(&self, request: &Value) -> Result<(), String> {
        let mut problem = String::new();
        for again in 0..TRIES {
            if again > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let url = &self.url;
            problem = match self.outside.http.post(url).json(request).timeout(TRY_MAX).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => format!("{url} answered {}", answer.status()),
                Err(cause) => format!("{url} did not answer: {cause}"),
            };
        }
        Err(problem)
    }
}
