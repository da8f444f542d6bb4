//! How long it takes to load many DAG files: what happens at each edit of a folder, and at a start.

use crate::report::Report;
use anyhow::Context;
use pipeline::{Bundle, Pipeline};
use std::{fmt::Write, fs, path::Path, time::Instant};

const TASKS: usize = 8;
const ROUNDS: usize = 5;

/// `files` DAGs in one folder, read and checked as `millrace check`, the scheduler and its compiler do.
pub fn run(folder: &Path, files: usize) -> anyhow::Result<Report> {
    let mut report = Report::new("dags");
    let place = folder.join("dag-files").join("many");
    // What an earlier measurement left.
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(place.join("dags")).context("make the folder of DAGs")?;
    fs::write(place.join("pipeline.toml"), "").context("write the pipeline")?;
    for number in 0..files {
        fs::write(place.join(format!("dags/dag_{number}.toml")), dag(number)).context("write a DAG")?;
    }
    let (mut read, mut parsed, mut checked) = (f64::MAX, f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let bundle = timed(&mut read, || Bundle::read(&place).map_err(anyhow::Error::from))?;
        let pipeline = timed(&mut parsed, || Pipeline::parse(&bundle).map_err(told))?;
        anyhow::ensure!(pipeline.dags.len() == files, "{} of {files} DAGs were read", pipeline.dags.len());
        timed(&mut checked, || {
            let checked = query::check_bundle(&bundle).map_err(told)?;
            Ok(pipeline::problems_between(std::slice::from_ref(&checked)))
        })?;
    }
    report.add_less(format!("{files} files, read"), read, "ms", None);
    report.add_less(format!("{files} files, parsed"), parsed, "ms", None);
    report.add_less(format!("{files} files, loaded and checked"), read + checked, "ms", Some(1_000.0));
    report.note(format!("{TASKS} tasks in each, half of them with templates; the best of {ROUNDS} rounds"));
    Ok(report.done())
}

fn timed<T>(best: &mut f64, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let started = Instant::now();
    let done = work()?;
    *best = best.min(started.elapsed().as_secs_f64() * 1_000.0);
    Ok(done)
}

fn told(problems: Vec<pipeline::Problem>) -> anyhow::Error {
    problems.into_iter().next().map_or_else(|| anyhow::anyhow!("no problem is told"), anyhow::Error::from)
}

/// A chain as people write it: a schedule, a parameter, a group, retries, templates.
fn dag(number: usize) -> String {
    let minute = number % 60;
    let mut text = format!(
        "schedule = \"{minute} 2 * * *\"\ntimezone = \"Europe/Zurich\"\ncatchup = \"latest\"\ntags = [\"many\"]\n\n\
         [params.day]\ntype = \"string\"\ndefault = \"today\"\n\n[groups.work]\n"
    );
    for task in 0..TASKS {
        let after = task.checked_sub(1).map_or_else(String::new, |before| format!("\"t{before}\""));
        let what = match task % 2 {
            0 => "kind = \"noop\"".to_owned(),
            _ => "kind = \"command\"\nrun = [\"work\", \"{{ params.day }}\", \"{{ logical_time }}\"]"
                .to_owned(),
        };
        let _ = write!(text, "\n[tasks.t{task}]\n{what}\nafter = [{after}]\nretries = 3\ngroup = \"work\"\n");
    }
    text
}
