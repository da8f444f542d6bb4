//! `wait` for another run, for rows, or for a sink that has caught up: one look each.

use super::{Job, tables};
use kafka::cluster::End;
use model::RunState;
use pipeline::{WaitedLag, WaitedRows, WaitedRun};

/// Why it is still waited for, or nothing where it is so.
type Look = Result<Option<String>, String>;

pub async fn run(job: &Job<'_>, waited: &WaitedRun) -> Look {
    let (dag, text) = (&waited.dag, job.fill(&waited.at)?);
    let at =
        text.parse().map_err(|_| format!("\"{text}\" is not an instant such as 2024-02-29T12:00:00Z"))?;
    Ok(match job.outside.queue.run_at(dag, at).await.map_err(|cause| cause.to_string())? {
        Some(run) if run.state == RunState::Success => None,
        Some(run) => Some(format!("run {} of {dag} for {text} is {}", run.id, run.state)),
        None => Some(format!("there is no run of {dag} for {text} yet")),
    })
}

pub async fn rows(job: &Job<'_>, waited: &WaitedRows) -> Look {
    let rows = tables::count(job, tables::named(job, &waited.table)?).await?;
    let (name, least) = (&waited.table, waited.at_least);
    Ok((rows < least).then(|| format!("the table {name} has {rows} of {least} rows")))
}

pub async fn lag(job: &Job<'_>, waited: &WaitedLag) -> Look {
    let table = tables::named(job, &waited.table)?;
    let end =
        job.outside.cluster.ends(&table.stream, End::Stable).await.map_err(|cause| cause.to_string())?;
    let at = super::passed::committed(job, &table.group(), &table.stream).await?;
    let (name, behind) = (&waited.table, at.behind(&end));
    Ok((u64::try_from(behind).unwrap_or_default() > waited.at_most)
        .then(|| format!("the table {name} is {behind} records behind")))
}
