//! What a backfill costs the runs that are due now.

use super::{Bench, STEPS, dags, quantile};
use crate::{report::Report, stand::until};
use anyhow::Context;
use serde_json::{Value, json};
use std::time::Instant;

const DAG: &str = "each_day";
const FRESH: usize = 50;
/// One has a thousand runs at most. Together they are still worked on when the fresh runs have ended.
const BACKFILLS: i32 = 4;

/// A year of runs is made; and while eight years of them are worked on, fresh runs of the same DAG.
pub async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let daily = format!("schedule = \"0 0 * * *\"\n{}", dags::chain(dags::Does::Nothing, STEPS));
    bench.stand.pipeline(&[(&format!("dags/{DAG}.toml"), &daily)])?;
    until("the DAG is published", async || Ok(bench.run(DAG).await.is_ok())).await?;
    let mut alone = fresh(bench).await?;
    let asked = Instant::now();
    let id = begin(bench, 2025, 2025).await?;
    report.add_less(
        "a year of runs made by a backfill",
        asked.elapsed().as_secs_f64() * 1_000.0,
        "ms",
        Some(1_000.0),
    );
    cancel(bench, &id).await?;
    let mut backfills = vec![];
    for n in 1..=BACKFILLS {
        backfills.push(begin(bench, 2025 - 2 * n, 2026 - 2 * n).await?);
    }
    let mut beside = fresh(bench).await?;
    let mut open = 0;
    for id in &backfills {
        open += left(bench, id).await?;
        cancel(bench, id).await?;
    }
    anyhow::ensure!(open > 0, "the backfills had ended before the fresh runs had");
    let (calm, busy) = (quantile(&mut alone, 0.5), quantile(&mut beside, 0.5));
    report.add_less("fresh run to its first task, p50", calm, "ms", None);
    report.add_less("the same beside a backfill", busy, "ms", None);
    report.add_less("a fresh run's delay by a backfill, p50", busy - calm, "ms", Some(50.0));
    let late = quantile(&mut beside, 0.95) - quantile(&mut alone, 0.95);
    report.add_less("a fresh run's delay by a backfill, p95", late, "ms", Some(50.0));
    Ok(())
}

/// Milliseconds from making a run to its first task's begin, of some runs, one after the other.
async fn fresh(bench: &Bench) -> anyhow::Result<Vec<f64>> {
    let mut waited = vec![];
    for _ in 0..FRESH {
        let id = bench.run(DAG).await?;
        let statement = "SELECT (extract(epoch FROM min(t.started_at) - r.made_at) * 1000)::float8 FROM run r JOIN task t ON t.run_id = r.id WHERE r.id = $1::uuid GROUP BY r.made_at";
        let (ms,): (f64,) = sqlx::query_as(statement).bind(&id).fetch_one(&bench.pool).await?;
        waited.push(ms);
    }
    Ok(waited)
}

/// Of whole years, both included.
async fn begin(bench: &Bench, from: i32, to: i32) -> anyhow::Result<String> {
    let asked = json!({ "dag": DAG, "from": format!("{from}-01-01T00:00:00Z"), "to": format!("{to}-12-31T00:00:00Z") });
    let answer = post(bench, "backfills", &asked).await?;
    answer["backfill"].as_str().map(str::to_owned).with_context(|| format!("no backfill was made: {answer}"))
}

async fn cancel(bench: &Bench, id: &str) -> anyhow::Result<()> {
    post(bench, &format!("backfills/{id}/cancel"), &json!({})).await.map(drop)
}

async fn post(bench: &Bench, path: &str, body: &Value) -> anyhow::Result<Value> {
    let url = format!("{}/api/v1/{path}", bench.stand.address("scheduler")?);
    Ok(bench.stand.http.post(url).json(body).send().await?.error_for_status()?.json().await?)
}

/// Runs of the backfill that have not ended.
async fn left(bench: &Bench, id: &str) -> anyhow::Result<i64> {
    let statement = "SELECT count(*) FROM run WHERE backfill = $1::uuid AND ended_at IS NULL";
    let (open,): (i64,) = sqlx::query_as(statement).bind(id).fetch_one(&bench.pool).await?;
    Ok(open)
}
