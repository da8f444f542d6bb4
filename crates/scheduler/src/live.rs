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
    let mut hints = postgres::listen(outside.queue.pool(), queue::CHANNEL).await?;
    while !service.shutdown.is_cancelled() {
        tokio::select! {
            hint = hints.next_payload() => {
                let mut changed: BTreeSet<Uuid> = hint.iter().filter_map(run).collect();
                let gathering = tokio::time::sleep(GATHER);
                tokio::pin!(gathering);
                loop {
                    tokio::select! {
                        () = &mut gathering => break,
                        hint = hints.next_payload() => changed.extend(hint.iter().filter_map(run)),
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

fn run(hint: &String) -> Option<Uuid> {
    Hint::parse(hint).map(|hint| hint.run_id)
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
