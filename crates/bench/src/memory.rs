//! Memory of all processes when nothing is to be done.

use crate::{
    report::Report,
    stand::{Stand, With},
};
use servers::Kind;
use std::{path::Path, time::Duration};

/// Until then start-up is over: buffers of the start are given back.
const SETTLE: Duration = Duration::from_secs(60);
const MIB: f64 = 1024.0 * 1024.0;

pub async fn run(folder: &Path) -> anyhow::Result<Report> {
    let mut report = Report::new("memory");
    let stand = Stand::start(folder, With::Users).await?;
    tokio::time::sleep(SETTLE).await;
    let resident = stand.resident()?;
    let sum = |kind: Option<Kind>| {
        let of_kind = resident.iter().filter(|(_, found, _)| kind.is_none_or(|kind| *found == kind));
        of_kind.map(|(.., bytes)| *bytes as f64).sum::<f64>() / MIB
    };
    for (name, kind, bytes) in &resident {
        let goal = match (kind, name.starts_with("worker")) {
            (Kind::Ours, true) => Some(60.0),
            (Kind::Ours, false) => Some(25.0),
            (Kind::Server, _) => None,
        };
        report.add_less(name, *bytes as f64 / MIB, "MiB", goal);
    }
    report.add_less("all of ours", sum(Some(Kind::Ours)), "MiB", Some(250.0));
    report.add_less("the whole stack", sum(None), "MiB", Some(1536.0));
    report.note(format!(
        "resident memory (VmRSS), with the pipeline that ships, {SETTLE:?} after all was healthy"
    ));
    stand.stop()?;
    Ok(report.done())
}
