//! A load on a system that runs somewhere, while somebody else breaks it; then the check of every id.

use anyhow::{Context, bail};
use cassandra::Cassandra;
use clap::Args;
use e2e::{Outside, REST_MAX, Story, evidence::By, say};
use kafka::Cluster;
use model::Secret;
use std::{path::PathBuf, time::Duration};

/// Where the system is. It must run the pipeline of `crates/e2e/pipelines/events`.
#[derive(Args)]
pub struct Asked {
    /// `http://host:port`
    #[arg(long)]
    producer: String,
    #[arg(long)]
    kafka: String,
    #[arg(long)]
    cassandra: String,
    /// Of the database of the PostgreSQL sink, without the password
    #[arg(long)]
    postgres: String,
    /// The password itself; empty where none is asked for
    #[arg(long, env = "MILLRACE_STORY_PASSWORD", hide_env_values = true, default_value = "")]
    password: String,
    /// Where the ledger is written
    #[arg(long)]
    folder: PathBuf,
    /// The load ends when this file exists; it names where Cassandra is then
    #[arg(long)]
    until: PathBuf,
}

const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// The system may have started just now, and its tables may still be made.
const BEGIN_MAX: Duration = Duration::from_secs(120);

pub async fn tell(asked: &Asked) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outside = connect(asked, &asked.cassandra).await?;
    let mut story = tokio::time::timeout(BEGIN_MAX, Story::begin(&outside, "story")).await??;
    story.load(story.events());
    while !asked.until.exists() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    // What was broken may have other addresses now.
    let cassandra = std::fs::read_to_string(&asked.until)?;
    let afterwards = connect(asked, cassandra.trim()).await?;
    story.look_from(&afterwards);
    let report = story.check(By::Console, 2 * REST_MAX).await?;
    if !report.is_clean() {
        bail!("{report}");
    }
    say(&format!("   {}", report.to_string().trim_end()));
    Ok(())
}

/// The driver goes where Cassandra says that it is, so `cassandra` is that address and not one that is forwarded to it.
async fn connect(asked: &Asked, cassandra: &str) -> anyhow::Result<Outside> {
    Ok(Outside {
        producer: asked.producer.clone(),
        cluster: Cluster::new(asked.kafka.as_str()),
        cassandra: Cassandra::connect_now(cassandra).await.context("connect to Cassandra")?,
        analytics: postgres::connect_now(&asked.postgres, &Secret::new(asked.password.clone())).await?,
        http: test_support::http(),
        folder: asked.folder.clone(),
    })
}
