//! What is asked of a scheduler that remembers many runs.

use super::{alone::Alone, quantile};
use crate::report::Report;
use std::time::Instant;

const RUNS: i32 = 100_000;
const TASKS: i32 = 20;
const ASKED: usize = 200;

pub async fn measure(alone: &Alone, report: &mut Report) -> anyhow::Result<()> {
    fill(alone).await?;
    let statement = "SELECT id::text FROM run ORDER BY made_at DESC OFFSET 50000 LIMIT 1";
    let (run,): (String,) = sqlx::query_as(statement).fetch_one(&alone.pool).await?;
    let asked = [
        ("list of runs", "/api/v1/runs?limit=100".to_owned(), 50.0),
        ("list of runs, from the middle", format!("/api/v1/runs?limit=100&before={run}"), 50.0),
        ("runs of a DAG, as a page", "/dags/d7".to_owned(), 100.0),
        ("list of tasks", format!("/api/v1/runs/{run}"), 100.0),
        ("search: failed runs of a DAG", "/api/v1/runs?dag=d7&state=failed&limit=100".to_owned(), 150.0),
        ("search: failed runs", "/api/v1/runs?state=failed&limit=100".to_owned(), 150.0),
    ];
    for (what, path, goal) in asked {
        let mut took = vec![];
        for _ in 0..ASKED {
            let started = Instant::now();
            let answer = alone.http.get(format!("{}{path}", alone.url)).send().await?;
            anyhow::ensure!(answer.status().is_success(), "{path}: {}", answer.status());
            answer.bytes().await?;
            took.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        let what = format!("with {RUNS} runs of {TASKS} tasks: {what}, p99");
        report.add_less(what, quantile(&mut took, 0.99), "ms", Some(goal));
    }
    Ok(())
}

/// Runs as they are once they have ended, over a year; each fiftieth has failed.
async fn fill(alone: &Alone) -> anyhow::Result<()> {
    for statement in include_str!("history.sql").split(";\n").filter(|statement| !statement.trim().is_empty())
    {
        sqlx::raw_sql(sqlx::AssertSqlSafe(
            statement.replace("{RUNS}", &RUNS.to_string()).replace("{TASKS}", &TASKS.to_string()),
        ))
        .execute(&alone.pool)
        .await?;
    }
    Ok(())
}
