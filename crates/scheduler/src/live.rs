//! What changes, to open pages: the database's hint, rendered once for all of them.

use crate::{outside::Outside, page};
use queue::Hint;
use service::Service;
use std::{collections::BTreeSet, time::Duration};
use tokio::sync::broadcast;
use uuid::Uuid;
use web::live::Patch;

/// Changes that come close together are drawn once.
const GATHER: Duration = Duration::from_millis(150);

/// Draws changed runs until the process is to end.
pub async fn follow(
    service: &Service,
    outside: &Outside,
    patches: broadcast::Sender<Patch>,
) -> anyhow::Result<()> {
    let [mut hints] = postgres::listen(outside.queue.pool(), [queue::CHANNEL]);
    while !service.shutdown.is_cancelled() {
        tokio::select! {
            hint = hints.next_payload() => {
                let mut changed: BTreeSet<Uuid> = hint.as_deref().and_then(run).into_iter().collect();
                let gathering = tokio::time::sleep(GATHER);
                tokio::pin!(gathering);
                loop {
                    tokio::select! {
                        () = &mut gathering => break,
                        hint = hints.next_payload() => changed.extend(hint.as_deref().and_then(run)),
                    }
                }
                if patches.receiver_count() > 0 {
                    // What is not drawn in time is drawn with the next change.
                    let _ = tokio::time::timeout(postgres::ANSWER_MAX, draw(outside, &patches, changed)).await;
                }
            }
            () = service.shutdown.cancelled() => {}
        }
    }
    Ok(())
}

fn run(hint: &str) -> Option<Uuid> {
    Hint::parse(hint).map(|hint| hint.run_id)
}

/// A chunk of a log is some 50 ms old when it is told of: with this, and the way to the page, it is shown within 300 ms.
const GATHER_LOGS: Duration = Duration::from_millis(100);

/// Draws logs that have grown, of tasks whose pages were opened, until the process is to end.
pub async fn follow_logs(
    service: &Service,
    outside: &Outside,
    patches: broadcast::Sender<Patch>,
) -> anyhow::Result<()> {
    let [mut hints] = postgres::listen(outside.queue.pool(), [queue::LOG_CHANNEL]);
    while !service.shutdown.is_cancelled() {
        let mut grown: BTreeSet<(Uuid, String)> = BTreeSet::new();
        tokio::select! {
            hint = hints.next_payload() => grown.extend(hint.as_deref().and_then(task_of)),
            () = service.shutdown.cancelled() => {}
        }
        let gathering = tokio::time::sleep(GATHER_LOGS);
        tokio::pin!(gathering);
        loop {
            tokio::select! {
                () = &mut gathering => break,
                hint = hints.next_payload() => grown.extend(hint.as_deref().and_then(task_of)),
            }
        }
        for (run_id, task) in grown.iter().filter(|(run_id, task)| outside.watched.has(*run_id, task)) {
            if patches.receiver_count() > 0
                && let Ok(html) = page::task::log(outside, *run_id, task).await
            {
                // Nobody may be looking.
                let _ = patches.send(Patch::new(page::task::element(*run_id, task), html));
            }
        }
    }
    Ok(())
}

fn task_of(payload: &str) -> Option<(Uuid, String)> {
    let (run_id, task) = payload.split_once(' ')?;
    Some((run_id.parse().ok()?, task.to_owned()))
}

async fn draw(outside: &Outside, patches: &broadcast::Sender<Patch>, changed: BTreeSet<Uuid>) {
    // A page that is not open for the element ignores it; nobody may be looking.
    let send = |id: String, html| drop(patches.send(Patch::new(id, html)));
    if let Ok(html) = page::dags::table(outside).await {
        send("dags".into(), html);
    }
    if let Ok(html) = page::runs::table(outside, None).await {
        send("runs".into(), html);
    }
    for run_id in changed {
        if let Ok(Some((dag, html))) = page::run::part(outside, run_id).await {
            send(page::run::element(run_id), html);
            if let Ok(html) = page::runs::table(outside, Some(&dag)).await {
                send(format!("runs-{dag}"), html);
            }
        }
    }
}
