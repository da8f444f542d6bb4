//! Numbers that a process counts, for Prometheus and for `millrace status`.

use prometheus::{
    Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

/// A process's own registry of metrics.
#[derive(Clone, Default)]
pub struct Metrics(Registry);

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

    fn keep<M: Collector + Clone + 'static>(&self, metric: M) -> anyhow::Result<M> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    /// Everything, in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut out = vec![];
        // Writing to a Vec does not fail.
        let _ = TextEncoder::new().encode(&self.0.gather(), &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}
