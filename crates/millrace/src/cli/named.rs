//! Commands about connections and variables.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{HandArgs, JsonArgs};

#[derive(Debug, Subcommand)]
pub enum NamedValue {
    /// Keep a value in PostgreSQL, sealed
    Set(SetNamedArgs),
    /// List names, with where each is; never a value
    #[command(after_help = "Example:\n  millrace connection list")]
    List(JsonArgs),
    /// Take a value out of PostgreSQL
    Delete(DeleteNamedArgs),
}

// No value on the command line: every user of the machine can read it there.
#[derive(Debug, Args)]
#[command(
    after_help = "A connection is a JSON object of fields, a variable a text; without --file it is read from the input.\n\nExample:\n  millrace connection set warehouse < warehouse.json\n  printf %s eu | millrace variable set region"
)]
pub struct SetNamedArgs {
    /// Small letters, digits and `_`
    pub name: String,
    /// The file that holds the value; the input where absent
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace variable delete region")]
pub struct DeleteNamedArgs {
    pub name: String,
    #[command(flatten)]
    pub hand: HandArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
