//! From a file's saving to the DAG that runs by it.

use super::quantile;
use crate::report::Report;
use anyhow::ensure;
use postgres::PgPool;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

const EDITS: usize = 30;
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// Edits a DAG's file again and again, beside all others of its pipeline.
pub async fn measure(pool: &PgPool, file: &Path, report: &mut Report) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    let mut took = vec![];
    for number in 0..EDITS {
        let (before, saved) = (live(pool).await?, Instant::now());
        fs::write(file, format!("doc = \"edit {number}\"\n{text}"))?;
        while live(pool).await? == before {
            ensure!(saved.elapsed() < PATIENCE, "an edit is not live after {PATIENCE:?}");
            tokio::time::sleep(LOOK).await;
        }
        took.push(saved.elapsed().as_secs_f64() * 1_000.0);
        // The next one is not in step with who looks.
        tokio::time::sleep(Duration::from_millis(37 * (number as u64 % 13))).await;
    }
    report.add_less("an edit is live, p50", quantile(&mut took, 0.5), "ms", None);
    report.add_less(
        format!("an edit is live, the slowest of {EDITS}"),
        quantile(&mut took, 1.0),
        "ms",
        Some(1_000.0),
    );
    Ok(())
}

/// The versions that triggers would take now.
async fn live(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT DISTINCT hash FROM dag ORDER BY 1").fetch_all(pool).await?)
}
