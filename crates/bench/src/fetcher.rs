//! Pages of users-api to the producer.

use crate::{
    report::Report,
    stand::{Stand, With, until},
};
use anyhow::Context;
use serde_json::{Value, json};
use std::{path::Path, time::Instant};

/// Pages of one fetch, a thousand users each.
const PAGES: usize = 15;
const PAGE_USERS: usize = 1_000;

pub async fn run(folder: &Path) -> anyhow::Result<Report> {
    let mut report = Report::new("fetcher");
    let stand = Stand::start(folder, With::Nothing).await?;
    let pipeline = std::fs::read_to_string("config/pipelines/users/pipeline.toml")
        .context("run this from the project's folder")?;
    let avsc = std::fs::read_to_string("config/pipelines/users/users.avsc")?;
    stand.pipeline(&[("users.avsc", &avsc), ("pipeline.toml", &source(&pipeline)?)])?;
    until("the source is known", async || Ok(fetch(&stand).await.is_ok())).await?;
    let (cpu, started) = (stand.cpu_seconds(&["fetcher"])?, Instant::now());
    let delivered = fetch(&stand).await? as f64;
    let (cpu, wall) = (stand.cpu_seconds(&["fetcher"])? - cpu, started.elapsed().as_secs_f64());
    report.add("users", delivered / wall, "records/s", None);
    report.add("users", delivered / cpu, "records/CPU-s", Some(15_000.0));
    report.note(format!("one fetch of {PAGES} pages of {PAGE_USERS} users, after one to warm up; users-api makes them on the same cores"));
    stand.stop()?;
    Ok(report.done())
}

/// The shipped source and stream, with larger pages and more of them.
fn source(pipeline: &str) -> anyhow::Result<String> {
    let end = pipeline.find("[streams.users_clean]").context("the shipped pipeline has no users_clean")?;
    let text = pipeline[..end].replace("results = \"500\"", &format!("results = \"{PAGE_USERS}\""));
    Ok(text.replace("pages_per_run = 1 ", &format!("pages_per_run = {PAGES} ")))
}

async fn fetch(stand: &Stand) -> anyhow::Result<u64> {
    let asked = json!({ "source": "users", "attempt_id": uuid::Uuid::new_v4() });
    let url = format!("{}/v1/fetch", stand.address("fetcher")?);
    let answer = stand.http.post(url).json(&asked).send().await?;
    let (status, answer): (_, Value) = (answer.status(), answer.json().await?);
    answer["delivered"].as_u64().with_context(|| format!("the fetcher answered {status}: {answer}"))
}
