//! Commands about backfills.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{HandArgs, RunIdArgs};
use crate::instant;

#[derive(Debug, Args)]
#[command(
    after_help = "A due time that has a run already gets no other. The runs have places of their own and come after all that is due now; a paused DAG is run too.\n\nExample:\n  millrace dag backfill users_daily --from 2026-03-01 --to 2026-03-07 --dry-run"
)]
pub struct BackfillArgs {
    pub name: String,
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    pub from: DateTime<Utc>,
    /// Included
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    pub to: DateTime<Utc>,
    /// Only list the runs: which are there, and what would become of each
    #[arg(long)]
    pub dry_run: bool,
    /// Which of the runs that are there run again
    #[arg(long, value_name = "WHICH", default_value = "none", value_parser = ["none", "failed", "all"])]
    pub reprocess: String,
    /// Of its runs, so many are open at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub max_active: u32,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Backfill {
    /// List backfills, the newest first
    List(BackfillListArgs),
    /// Show a backfill, and how its runs stand
    #[command(after_help = "Example:\n  millrace backfill show 0192f0c1-0000-7000-8000-000000000000")]
    Show(RunIdArgs),
    /// Hold back the runs that have not begun
    Pause(BackfillActArgs),
    /// Let it go on
    Resume(BackfillActArgs),
    /// End it: its open runs are cancelled
    Cancel(BackfillActArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace backfill list --dag users_daily")]
pub struct BackfillListArgs {
    /// Only backfills of this DAG
    #[arg(long, value_name = "NAME")]
    pub dag: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  millrace backfill cancel 0192f0c1-0000-7000-8000-000000000000 --why \"the wrong month\""
)]
pub struct BackfillActArgs {
    pub id: Uuid,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
