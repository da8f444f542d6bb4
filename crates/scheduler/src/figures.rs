//! Figures of all that waits and runs, on `/metrics`. They are asked of the database when somebody scrapes, and only then: a
//! scheduler with nothing to do asks little.

use crate::outside::Outside;
use chrono::{DateTime, Utc};
use prometheus::{Gauge, HistogramVec, IntGaugeVec};
use queue::{Figures, Queue};
use service::Metrics;
use std::sync::Arc;
use tokio::sync::Mutex;

/// From tenths of a second to a day.
const RUN_SECONDS: [f64; 12] =
    [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];

#[derive(Clone)]
struct Shown {
    queue: Queue,
    tasks: IntGaugeVec,
    slots: IntGaugeVec,
    used: IntGaugeVec,
    open: IntGaugeVec,
    starving: IntGaugeVec,
    oldest: Gauge,
    runs: HistogramVec,
    /// Runs that ended until then are in the histogram. Held while it is asked: two who scrape must not count a run twice.
    counted_to: Arc<Mutex<Option<DateTime<Utc>>>>,
}

/// Shows them from now on.
pub fn show(metrics: &Metrics, outside: &Outside) -> anyhow::Result<()> {
    let of_pool = |name: &str, help: &str| metrics.gauges(name, help, &["pool"]);
    let shown = Shown {
        queue: outside.queue.clone(),
        tasks: metrics.gauges("tasks", "Tasks of open runs", &["dag", "state"])?,
        slots: of_pool("pool_slots", "Slots of a pool")?,
        used: of_pool("pool_used_slots", "Slots that running tasks take")?,
        open: of_pool("pool_open_slots", "Slots that are free")?,
        starving: of_pool("pool_starving_tasks", "Tasks that could begin, but for room in their pool")?,
        oldest: metrics
            .number("oldest_queued_task_seconds", "Since when the oldest task waits that could begin")?,
        runs: metrics.histograms(
            "run_seconds",
            "How long runs took that have ended since this process began",
            &["dag", "state"],
            &RUN_SECONDS,
        )?,
        counted_to: Arc::default(),
    };
    metrics.gathered_by(move || {
        let shown = shown.clone();
        Box::pin(async move {
            if let Err(cause) = postgres::answered(shown.look()).await {
                tracing::warn!("figures were not asked for: {cause}");
            }
        })
    });
    Ok(())
}

impl Shown {
    async fn look(&self) -> Result<(), sqlx::Error> {
        let mut counted_to = self.counted_to.lock().await;
        self.set(&self.queue.figures().await?);
        let Some(after) = *counted_to else {
            *counted_to = Some(self.queue.now().await?);
            return Ok(());
        };
        for run in self.queue.ended_after(after).await? {
            self.runs.with_label_values(&[&run.dag, &run.state]).observe(run.seconds);
            *counted_to = Some(run.ended_at);
        }
        Ok(())
    }

    fn set(&self, figures: &Figures) {
        // What is no longer there is no longer shown.
        self.tasks.reset();
        for (dag, state, many) in &figures.tasks {
            self.tasks.with_label_values(&[dag, state]).set(*many);
        }
        [&self.slots, &self.used, &self.open, &self.starving].into_iter().for_each(IntGaugeVec::reset);
        for pool in &figures.pools {
            let name = &[pool.name.as_str()];
            self.slots.with_label_values(name).set(pool.slots);
            self.used.with_label_values(name).set(pool.used);
            self.open.with_label_values(name).set(pool.slots - pool.used);
            self.starving.with_label_values(name).set(pool.starving);
        }
        self.oldest.set(figures.oldest_queued);
    }
}
