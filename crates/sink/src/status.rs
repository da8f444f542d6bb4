//! What a table's sink has done, for people: health, metrics and a row that `millrace status` reads.

use crate::{Context, Target, writer::Done};
use prometheus::IntCounter;
use service::Health;
use sqlx::PgPool;

pub struct Status {
    table: String,
    pipeline: String,
    store: &'static str,
    health: Health,
    metadata: PgPool,
    rows: IntCounter,
    dead: IntCounter,
    last_problem: Option<String>,
}

impl Status {
    pub fn new<S>(context: &Context<S>, target: &Target) -> Self {
        let table = target.table.name.clone();
        Self {
            rows: context.rows.with_label_values(&[&table]),
            dead: context.dead.with_label_values(&[&table]),
            pipeline: target.pipeline.clone(),
            store: target.table.store.title(),
            health: context.health.clone(),
            metadata: context.metadata.clone(),
            last_problem: None,
            table,
        }
    }

    pub async fn good(&mut self) {
        self.health.good(&format!("table {}", self.table));
        self.last_problem = None;
        self.keep(0, 0, None).await;
    }

    /// Told once in the log for as long as it stays the same.
    pub async fn problem(&mut self, reason: &str) {
        self.health.bad(&format!("table {}", self.table), reason);
        if self.last_problem.as_deref() != Some(reason) {
            tracing::warn!(table = self.table, "{reason}");
            self.last_problem = Some(reason.to_owned());
            self.keep(0, 0, Some(reason)).await;
        }
    }

    /// Counts for `/metrics`.
    pub fn count(&self, done: Done) -> Done {
        self.rows.inc_by(done.rows);
        self.dead.inc_by(done.dead);
        done
    }

    /// Counts for who asks PostgreSQL.
    pub async fn keep_counts(&self, rows: u64, dead: u64) {
        if rows + dead > 0 {
            self.keep(rows, dead, None).await;
        }
    }

    async fn keep(&self, rows: u64, dead: u64, problem: Option<&str>) {
        let kept = sqlx::query(include_str!("status.sql"))
            .bind(&self.table)
            .bind(&self.pipeline)
            .bind(self.store)
            .bind(rows as i64)
            .bind(dead as i64)
            .bind(problem)
            .execute(&self.metadata)
            .await;
        if let Err(cause) = kept {
            tracing::warn!(table = self.table, "its counters were not kept: {cause}");
        }
    }
}
