//! A scheduler alone with a database: its start, its rest, and its memory of many runs.

use super::{dags, edits, history, transactions};
use crate::{
    report::Report,
    stand::{Stand, until},
};
use anyhow::Context;
use postgres::PgPool;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const DAGS: usize = 100;
const DATABASE: &str = "alone";
/// Of its pipeline, in its configuration.
const FOLDER: &str = "pipelines/alone";
/// What a start leaves to do is done by then.
const SETTLED: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_secs(60);

/// A scheduler of the benchmark's own.
pub struct Alone {
    process: Child,
    pub pool: PgPool,
    pub url: String,
    pub http: reqwest::Client,
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub async fn measure(stand: &Stand, folder: &Path, report: &mut Report) -> anyhow::Result<()> {
    let config = prepare(&std::path::absolute(folder)?)?;
    // Once, so that the database and its tables are there: a start is not always the first one.
    drop(start(stand, &config).await?);
    let started = Instant::now();
    let alone = start(stand, &config).await?;
    report.add_less(
        format!("start to ready, {DAGS} DAGs"),
        started.elapsed().as_secs_f64() * 1_000.0,
        "ms",
        Some(1_000.0),
    );
    tokio::time::sleep(SETTLED).await;
    measure_idle(&alone, report).await?;
    edits::measure(&alone.pool, &config.join(FOLDER).join("dags/d0.toml"), report).await?;
    history::measure(&alone, report).await
}

/// A folder with a hundred DAGs that are due at night.
fn prepare(folder: &Path) -> anyhow::Result<PathBuf> {
    let config = folder.join("alone");
    let _ = fs::remove_dir_all(&config);
    let pipeline = config.join(FOLDER);
    fs::create_dir_all(pipeline.join("dags")).context("make the folder of DAGs")?;
    fs::write(pipeline.join("pipeline.toml"), "")?;
    for n in 0..DAGS {
        fs::write(pipeline.join(format!("dags/d{n}.toml")), dags::scheduled("\"0 2 * * *\""))?;
    }
    fs::copy("config/scheduler.toml", config.join("scheduler.toml")).context("copy config/scheduler.toml")?;
    Ok(config)
}

async fn start(stand: &Stand, config: &Path) -> anyhow::Result<Alone> {
    let pool = stand.postgres(DATABASE).await?;
    let port = servers::free_ports(1)?.into_iter().next().context("a free port")?;
    let log = fs::File::create(config.join("scheduler.log"))?;
    let process = Command::new(std::env::current_exe()?.with_file_name("scheduler"))
        .arg("--config")
        .arg(config.join("scheduler.toml"))
        .envs(stand.scheduler_environment(DATABASE)?)
        .env("MILLRACE_NAME", DATABASE)
        .env("MILLRACE_LISTEN", servers::local(port))
        .env("MILLRACE_CONFIG_DIR", config)
        .env("MALLOC_ARENA_MAX", "2")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("start the scheduler's program")?;
    let alone =
        Alone { process, pool, url: format!("http://{}", servers::local(port)), http: stand.http.clone() };
    let waited = Instant::now();
    while !is_ready(&alone).await {
        anyhow::ensure!(waited.elapsed() < Duration::from_secs(60), "the scheduler is not ready after 60 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(alone)
}

async fn is_ready(alone: &Alone) -> bool {
    let answer = alone.http.get(format!("{}/readyz", alone.url)).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

async fn measure_idle(alone: &Alone, report: &mut Report) -> anyhow::Result<()> {
    until("the DAGs are published", async || {
        let (dags,): (i64,) = sqlx::query_as("SELECT count(*) FROM dag").fetch_one(&alone.pool).await?;
        Ok(dags == DAGS as i64)
    })
    .await?;
    let process = procfs::process::Process::new(alone.process.id() as i32)?;
    let cpu = || {
        anyhow::Ok((process.stat()?.utime + process.stat()?.stime) as f64 / procfs::ticks_per_second() as f64)
    };
    let (before, cpu_before, started) = (transactions(&alone.pool).await?, cpu()?, Instant::now());
    tokio::time::sleep(IDLE).await;
    let seconds = started.elapsed().as_secs_f64();
    let used = (cpu()? - cpu_before) / seconds * 100.0;
    let made = (transactions(&alone.pool).await? - before) as f64 / started.elapsed().as_secs_f64();
    let resident = process.stat()?.rss as f64 * procfs::page_size() as f64 / 1_048_576.0;
    report.add_less(format!("idle, {DAGS} DAGs: transactions"), made, "1/s", Some(2.0));
    report.add_less(format!("idle, {DAGS} DAGs: CPU"), used, "% of a core", Some(0.5));
    report.add_less(format!("idle, {DAGS} DAGs: memory"), resident, "MiB", Some(40.0));
    Ok(())
}
