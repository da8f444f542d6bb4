//! Commands that ask files and databases.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: all right; 2: something is wrong, each with its file and line.\n\nExample:\n  millrace check config"
)]
pub struct CheckArgs {
    /// A folder of configuration, of pipelines, or of one pipeline; that of --config where absent
    pub dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace cql \"SELECT * FROM millrace.created_users LIMIT 5\"")]
pub struct CqlArgs {
    pub statement: String,
    /// Print JSON: one object for each row
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  millrace sql \"SELECT country, count(*) FROM users GROUP BY country ORDER BY 2 DESC\""
)]
pub struct SqlArgs {
    pub statement: String,
    /// Ask Millrace's own database, which holds runs, jobs and cursors, instead of the one for analysis
    #[arg(long)]
    pub metadata: bool,
    /// Print JSON: one object for each row
    #[arg(long)]
    pub json: bool,
}
