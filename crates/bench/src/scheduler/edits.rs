//! From a file's saving to the DAG that runs by it.

use super::{Bench, dags, quantile};
use crate::{report::Report, stand::until};
use std::time::{Duration, Instant};

const EDITS: usize = 30;
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// Edits a DAG beside all others of its pipeline, again and again.
pub async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    save(bench, "first")?;
    until("the DAG is published", async || Ok(live(bench).await?.is_some())).await?;
    let mut took = vec![];
    for number in 0..EDITS {
        let (before, saved) = (live(bench).await?, Instant::now());
        save(bench, &format!("edit {number}"))?;
        while live(bench).await? == before && saved.elapsed() < PATIENCE {
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

fn save(bench: &Bench, doc: &str) -> anyhow::Result<()> {
    let text = format!("doc = \"{doc}\"\n{}", dags::flat(dags::Does::Nothing, 1));
    bench.stand.pipeline(&[("dags/edited.toml", &text)])
}

/// The version that a trigger would take now.
async fn live(bench: &Bench) -> anyhow::Result<Option<String>> {
    let statement = "SELECT hash FROM dag WHERE name = 'edited'";
    Ok(sqlx::query_scalar(statement).fetch_optional(&bench.pool).await?)
}
