//! Benchmarks of Millrace on its real servers: `millrace bench NAME`.
//!
//! Each starts a stack of its own ([`stand`]) beside which nothing of ours runs, loads one process, and says records per second
//! of wall time and of processor time ([`report`]). Where a peer or a ceiling can be had, it runs in the same stack, before and
//! after.

mod avro;
mod cassandra_sink;
mod chaos;
mod dags;
mod fetcher;
mod load;
mod memory;
mod path;
mod peer;
mod postgres_sink;
mod producer;
mod report;
mod scheduler;
mod simulate;
mod sinks;
mod stand;
mod warm;
mod worker;

use clap::{Parser, ValueEnum};
use report::Report;
use std::{path::PathBuf, process::ExitCode};

/// As in the worker: what it does to a record is measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "millrace-bench", about = "Benchmarks on the real servers")]
#[command(after_help = "Example:\n  millrace bench worker --records 2000000")]
struct Asked {
    name: Name,
    /// Records, where the benchmark has a fixed number of them
    #[arg(long)]
    records: Option<usize>,
    /// Kills, for `chaos`
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// What decides who is killed when, for `chaos`; the first history, for `simulate-scheduler`
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON only
    #[arg(long)]
    json: bool,
    /// Folder of the benchmark's own stack
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Name {
    Producer,
    Fetcher,
    Worker,
    CassandraSink,
    PostgresSink,
    Scheduler,
    /// A million tasks in a row, and the scheduler's memory; `--records` says how many; not one of `all`
    Endurance,
    /// Loading many DAG files; `--records` says how many
    Dags,
    Path,
    Avro,
    Memory,
    /// Kills of our processes under load, and what they left; not one of `all`
    Chaos,
    /// Histories of the scheduler with crashes, without a database; `--records` says how many; not one of `all`
    SimulateScheduler,
    /// All of them, one after the other
    All,
}

#[tokio::main]
async fn main() -> ExitCode {
    let asked = Asked::parse();
    let names = match asked.name {
        Name::All => {
            let alone = [Name::All, Name::Chaos, Name::Endurance, Name::SimulateScheduler];
            Name::value_variants().iter().copied().filter(|name| !alone.contains(name)).collect()
        }
        one => vec![one],
    };
    let mut failed = false;
    for name in names {
        match run(name, &asked).await {
            Ok(report) => {
                println!("{}", if asked.json { report.to_json() } else { report.to_table() });
                failed |= report.failed;
            }
            Err(cause) => {
                eprintln!("millrace bench: {cause:#}");
                return ExitCode::FAILURE;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn run(name: Name, asked: &Asked) -> anyhow::Result<Report> {
    let records = |default: usize| asked.records.unwrap_or(default);
    let folder = &asked.folder;
    match name {
        Name::Avro => avro::run(records(500_000)),
        Name::Producer => producer::run(folder).await,
        Name::Fetcher => fetcher::run(folder).await,
        Name::Worker => worker::run(folder, records(2_000_000)).await,
        Name::CassandraSink => cassandra_sink::run(folder, records(100_000)).await,
        Name::PostgresSink => postgres_sink::run(folder, records(1_000_000)).await,
        Name::Scheduler => scheduler::run(folder).await,
        Name::Endurance => scheduler::endurance::run(folder, records(1_000_000)).await,
        Name::Dags => dags::run(folder, records(1_000)),
        Name::Path => path::run(folder).await,
        Name::Memory => memory::run(folder).await,
        Name::Chaos => chaos::run(asked.kills, asked.seed).await,
        Name::SimulateScheduler => simulate::run(records(1_000_000), asked.seed),
        Name::All => unreachable!("taken apart before"),
    }
}
