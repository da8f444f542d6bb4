//! Due times: a thousand of them on one second, and one each second.

use super::{Bench, dags, quantile};
use crate::{report::Report, stand::until};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::time::Duration;

const DAGS: usize = 1_000;
/// The files are published by then.
const AHEAD: TimeDelta = TimeDelta::seconds(40);
const TICKS: i64 = 60;

pub async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    measure_drift(bench, report).await?;
    measure_thousand(bench, report).await
}

/// How late the run of a due time is made, where one is due each second.
async fn measure_drift(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    bench.stand.pipeline(&[("dags/each_second.toml", &dags::scheduled("\"* * * * * *\""))])?;
    until("a minute of due times has passed", async || {
        let statement = "SELECT count(*) FROM run WHERE dag = 'each_second'";
        let (made,): (i64,) = sqlx::query_as(statement).fetch_one(&bench.pool).await?;
        Ok(made > TICKS)
    })
    .await?;
    // The first ones may be of before it was published.
    let statement = "SELECT (extract(epoch FROM made_at - logical_at) * 1000)::float8 FROM run WHERE dag = 'each_second' ORDER BY logical_at DESC LIMIT $1";
    let late: Vec<(f64,)> = sqlx::query_as(statement).bind(TICKS).fetch_all(&bench.pool).await?;
    let mut late: Vec<f64> = late.into_iter().map(|(ms,)| ms).collect();
    report.add_less("drift of a due time, p50", quantile(&mut late, 0.5), "ms", None);
    report.add_less("drift of a due time, p99", quantile(&mut late, 0.99), "ms", Some(25.0));
    bench.stand.pipeline(&[("dags/each_second.toml", &dags::scheduled("\"@once\""))])
}

/// How long it takes until all runs of a thousand DAGs are there that are due at one instant.
async fn measure_thousand(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let at = Utc::now() + AHEAD;
    let schedule = format!("{{ dates = [\"{}\"] }}", at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let files: Vec<(String, String)> =
        (0..DAGS).map(|n| (format!("dags/due_{n:04}.toml"), dags::scheduled(&schedule))).collect();
    bench.stand.pipeline(&files.iter().map(|(name, text)| (&**name, &**text)).collect::<Vec<_>>())?;
    let due = DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at);
    let mut took = f64::NAN;
    loop {
        let statement = "SELECT count(*), extract(epoch FROM clock_timestamp() - $1)::float8 FROM run WHERE dag LIKE 'due_%'";
        let (made, since): (i64, f64) = sqlx::query_as(statement).bind(due).fetch_one(&bench.pool).await?;
        if made >= DAGS as i64 {
            took = since;
            break;
        }
        if since > 120.0 {
            break;
        }
        let pause = if since < -1.0 { Duration::from_millis(500) } else { Duration::from_millis(10) };
        tokio::time::sleep(pause).await;
    }
    report.add_less(
        format!("{DAGS} schedules on one second, all runs made"),
        took * 1_000.0,
        "ms",
        Some(1_000.0),
    );
    Ok(())
}
