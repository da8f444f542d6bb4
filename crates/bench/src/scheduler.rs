//! How soon the next task begins, and how many tasks a second there can be: runs of tasks that do nothing, or start a child that
//! does nothing; many due times at once; and a scheduler that has nothing to do, or much to remember.
//!
//! All times are the database's: what is measured is between what it was told, not between what a client saw.

mod alone;
mod backfill;
mod dags;
mod edits;
pub mod endurance;
mod history;
mod times;

use crate::{
    report::Report,
    stand::{Stand, With, until},
};
use anyhow::Context;
use dags::Does;
use futures::{StreamExt, TryStreamExt, stream};
use postgres::PgPool;
use serde_json::Value;
use std::{
    path::Path,
    time::{Duration, Instant},
};

const CHAIN: usize = 40;
const CHAINS: usize = 10;
const FAN: usize = 5_000;
const FLAT: usize = 500;
const FLATS: usize = 10;
const FLATS_OF_CHILDREN: usize = 3;
const STEPS: usize = 3;
const SMALL_RUNS: usize = 100;
/// Triggers on their way at once, where many runs are made.
const AT_ONCE: usize = 16;
const COMMITS: usize = 300;
/// A backend that has told of its transactions within the second before tells of the next ones ten seconds later, or when it ends.
const COUNTED_AFTER: Duration = Duration::from_secs(11);

/// Runs of tasks, one kind of load after the other.
pub async fn run(folder: &Path) -> anyhow::Result<Report> {
    let mut report = Report::new("scheduler");
    let stand = Stand::start(folder, With::Nothing).await?;
    let made = [
        ("chain", dags::chain(Does::Nothing, CHAIN)),
        ("chain_true", dags::chain(Does::Child, CHAIN)),
        ("fan", dags::fan(FAN)),
        ("flat", dags::flat(Does::Nothing, FLAT)),
        ("flat_true", dags::flat(Does::Child, FLAT)),
        ("steps", dags::chain(Does::Nothing, STEPS)),
    ];
    for (name, text) in &made {
        stand.pipeline(&[(&format!("dags/{name}.toml"), text)])?;
    }
    let bench = Bench { pool: stand.postgres("millrace").await?, stand };
    until("the DAGs are published", async || Ok(bench.run("steps").await.is_ok())).await?;
    bench.measure_commit(&mut report).await?;
    bench.measure_chains(&mut report, "chain", "in-process", 600.0).await?;
    bench.measure_chains(&mut report, "chain_true", "child process", 1_000.0).await?;
    bench.measure_small_runs(&mut report).await?;
    bench.measure_sustained(&mut report).await?;
    bench.measure_children(&mut report).await?;
    bench.measure_fan(&mut report).await?;
    backfill::measure(&bench, &mut report).await?;
    times::measure(&bench, &mut report).await?;
    alone::measure(&bench.stand, folder, &mut report).await?;
    report
        .note("tasks do nothing and run in the scheduler; PostgreSQL is on the same machine, with fsync on");
    bench.stand.stop()?;
    Ok(report.done())
}

struct Bench {
    stand: Stand,
    pool: PgPool,
}

impl Bench {
    /// What a commit costs that waits for the disk: no step of a run that is kept can take less.
    async fn measure_commit(&self, report: &mut Report) -> anyhow::Result<()> {
        sqlx::query("CREATE TABLE IF NOT EXISTS bench_commit (n int)").execute(&self.pool).await?;
        let mut connection = self.pool.acquire().await?;
        let mut took = vec![];
        for _ in 0..COMMITS {
            let started = Instant::now();
            sqlx::query("INSERT INTO bench_commit VALUES (1)").execute(&mut *connection).await?;
            took.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        report.add_less("one commit of one row, p50", quantile(&mut took, 0.5), "ms", None);
        report.add_less("one commit of one row, p99", quantile(&mut took, 0.99), "ms", None);
        Ok(())
    }

    async fn measure_chains(
        &self,
        report: &mut Report,
        dag: &str,
        kind: &str,
        goal_ms: f64,
    ) -> anyhow::Result<()> {
        self.run(dag).await?;
        let (mut whole, mut gaps) = (vec![], vec![]);
        for _ in 0..CHAINS {
            let id = self.run(dag).await?;
            whole.push(self.took_ms(&id).await?);
            let statement = "SELECT (extract(epoch FROM child.started_at - parent.ended_at) * 1000)::float8 FROM task_edge e
                JOIN task parent ON parent.run_id = e.run_id AND parent.name = e.parent
                JOIN task child ON child.run_id = e.run_id AND child.name = e.child WHERE e.run_id = $1::uuid";
            let found: Vec<(f64,)> = sqlx::query_as(statement).bind(&id).fetch_all(&self.pool).await?;
            gaps.extend(found.into_iter().map(|(gap,)| gap));
        }
        report.add_less(format!("task to task, {kind}, p50"), quantile(&mut gaps, 0.5), "ms", Some(5.0));
        report.add_less(format!("task to task, {kind}, p99"), quantile(&mut gaps, 0.99), "ms", Some(20.0));
        report.add_less(
            format!("chain of {CHAIN}, {kind}, p50"),
            quantile(&mut whole, 0.5),
            "ms",
            Some(goal_ms),
        );
        Ok(())
    }

    /// Expanded is what is in the middle when the first of it begins: all of it is ready then.
    async fn measure_fan(&self, report: &mut Report) -> anyhow::Result<()> {
        let id = self.run("fan").await?;
        let statement = "SELECT (extract(epoch FROM (SELECT min(started_at) FROM task WHERE run_id = $1::uuid AND name LIKE 't%') - ended_at) * 1000)::float8
            FROM task WHERE run_id = $1::uuid AND name = 'first'";
        let (expanded,): (f64,) = sqlx::query_as(statement).bind(&id).fetch_one(&self.pool).await?;
        report.add_less(format!("fan-out 1, {FAN}, 1: expanded"), expanded, "ms", Some(500.0));
        report.add_less(format!("fan-out 1, {FAN}, 1: done"), self.took_ms(&id).await?, "ms", Some(10_000.0));
        Ok(())
    }

    async fn measure_small_runs(&self, report: &mut Report) -> anyhow::Result<()> {
        let mut took = vec![];
        for _ in 0..SMALL_RUNS {
            let id = self.run("steps").await?;
            took.push(self.took_ms(&id).await?);
        }
        report.add_less(format!("run of {STEPS} steps, p50"), quantile(&mut took, 0.5), "ms", Some(15.0));
        report.add_less(format!("run of {STEPS} steps, p95"), quantile(&mut took, 0.95), "ms", Some(30.0));
        let seconds = self.many("steps", SMALL_RUNS * 3).await?;
        report.add("runs of 3 steps", (SMALL_RUNS * 3) as f64 / seconds, "runs/s", Some(300.0));
        Ok(())
    }

    async fn measure_sustained(&self, report: &mut Report) -> anyhow::Result<()> {
        let (before, cpu) = (transactions(&self.pool).await?, self.stand.cpu_seconds(&["scheduler"])?);
        let seconds = self.many("flat", FLATS).await?;
        let (tasks, cpu) = ((FLATS * FLAT) as f64, self.stand.cpu_seconds(&["scheduler"])? - cpu);
        report.add("no-ops, sustained", tasks / seconds, "tasks/s", Some(1_000.0));
        report.add_less("CPU of the scheduler", cpu * 1_000.0 / tasks, "ms/task", Some(2.0));
        let made = (transactions(&self.pool).await? - before) as f64;
        report.add_less("transactions", made / tasks, "1/task", Some(2.0));
        Ok(())
    }

    async fn measure_children(&self, report: &mut Report) -> anyhow::Result<()> {
        let seconds = self.many("flat_true", FLATS_OF_CHILDREN).await?;
        let tasks = (FLATS_OF_CHILDREN * FLAT) as f64;
        report.add("child processes, sustained", tasks / seconds, "tasks/s", Some(150.0));
        Ok(())
    }

    /// Triggers runs, waits for all of them. Answers the seconds from the first to the end of the last.
    async fn many(&self, dag: &str, runs: usize) -> anyhow::Result<f64> {
        let ids: Vec<String> =
            stream::iter(0..runs).map(|_| self.trigger(dag)).buffer_unordered(AT_ONCE).try_collect().await?;
        until("the runs end", async || {
            let statement = "SELECT count(*) FROM run WHERE id::text = ANY ($1) AND ended_at IS NULL";
            let (open,): (i64,) = sqlx::query_as(statement).bind(&ids).fetch_one(&self.pool).await?;
            Ok(open == 0)
        })
        .await?;
        let statement = "SELECT extract(epoch FROM max(ended_at) - min(made_at))::float8 FROM run WHERE id::text = ANY ($1)";
        let (seconds,): (f64,) = sqlx::query_as(statement).bind(&ids).fetch_one(&self.pool).await?;
        Ok(seconds)
    }

    async fn run(&self, dag: &str) -> anyhow::Result<String> {
        let id = self.trigger(dag).await?;
        until("the run ends", async || {
            let statement = "SELECT ended_at IS NOT NULL FROM run WHERE id = $1::uuid";
            let (ended,): (bool,) = sqlx::query_as(statement).bind(&id).fetch_one(&self.pool).await?;
            Ok(ended)
        })
        .await?;
        Ok(id)
    }

    async fn trigger(&self, dag: &str) -> anyhow::Result<String> {
        let url = format!("{}/api/v1/dags/{dag}/runs", self.stand.address("scheduler")?);
        let answer: Value =
            self.stand.http.post(url).json(&serde_json::json!({})).send().await?.json().await?;
        answer["run_id"].as_str().map(str::to_owned).with_context(|| format!("no run was made: {answer}"))
    }

    async fn took_ms(&self, id: &str) -> anyhow::Result<f64> {
        let statement =
            "SELECT (extract(epoch FROM ended_at - made_at) * 1000)::float8 FROM run WHERE id = $1::uuid";
        let (took,): (f64,) = sqlx::query_as(statement).bind(id).fetch_one(&self.pool).await?;
        Ok(took)
    }
}

/// Transactions in a database so far, of all processes.
async fn transactions(pool: &PgPool) -> anyhow::Result<i64> {
    tokio::time::sleep(COUNTED_AFTER).await;
    let statement =
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    let (made,): (i64,) = sqlx::query_as(statement).fetch_one(pool).await?;
    Ok(made)
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len().saturating_sub(1) as f64 * part).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}
