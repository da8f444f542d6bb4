//! Numbers that a process counts, for Prometheus and for `millrace status`.

use futures::future::BoxFuture;
use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector,
};
use std::sync::{Arc, OnceLock};

/// A process's own registry of metrics.
#[derive(Clone, Default)]
pub struct Metrics {
    registry: Registry,
    gather: Arc<OnceLock<Gather>>,
}

/// Sets what is not counted as it happens.
type Gather = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

impl Metrics {
    pub fn counter(&self, name: &str, help: &str) -> anyhow::Result<IntCounter> {
        self.keep(IntCounter::new(name, help)?)
    }

    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> anyhow::Result<IntCounterVec> {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub fn gauge(&self, name: &str, help: &str) -> anyhow::Result<IntGauge> {
        self.keep(IntGauge::new(name, help)?)
    }

    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> anyhow::Result<IntGaugeVec> {
        self.keep(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// A gauge that is no whole number.
    pub fn number(&self, name: &str, help: &str) -> anyhow::Result<Gauge> {
        self.keep(Gauge::new(name, help)?)
    }

    /// `bounds` are the upper ends of its buckets.
    pub fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
    ) -> anyhow::Result<HistogramVec> {
        self.keep(HistogramVec::new(HistogramOpts::new(name, help).buckets(bounds.to_vec()), labels)?)
    }

    /// What is asked before each answer: figures that cost something are set then, and not all the time. It bounds its own time.
    /// The first one that is given stays.
    pub fn gathered_by(&self, gather: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        let _ = self.gather.set(Box::new(gather));
    }

    /// Everything as it is now, in Prometheus' text format.
    pub async fn gathered(&self) -> String {
        if let Some(gather) = self.gather.get() {
            gather().await;
        }
        self.text()
    }

    fn keep<M: Collector + Clone + 'static>(&self, metric: M) -> anyhow::Result<M> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    /// Everything, in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut out = vec![];
        // Writing to a Vec does not fail.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}
