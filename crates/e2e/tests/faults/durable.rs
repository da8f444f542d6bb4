//! A run that somebody was told of outlives PostgreSQL, because its commit had waited for the disk.

use anyhow::bail;
use e2e::{Fleet, Folder};
use futures::future::join_all;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Its runs wait: where one ends, its commit would bring to the disk what came before.
const HOLD: &str = "[tasks.hold]\nkind = \"approve\"\nquestion = \"go on?\"\n";
/// Takes the guard away: the scheduler's commits don't wait.
const NOT_DURABLE: &str = "?options=-c%20synchronous_commit%3Doff";
/// What is not on the disk is that of a fifth of a second, or nothing: by chance the server has just written.
const TRIES: usize = 5;

/// Triggers runs until the fault comes, and looks for all of them afterwards; then without the guard, when some must be gone.
pub async fn told_runs_stay<F>(fleet: &Fleet, fault: impl Fn() -> F) -> anyhow::Result<String>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let folder = Folder::add_in(&fleet.pipelines(), &[("pipeline.toml", "")]);
    folder.write(&format!("dags/{}.toml", folder.name), HOLD);
    let url = format!("{}/api/v1/dags/{}/runs", fleet.url("scheduler"), folder.name);
    let hold = Hold { fleet, url };
    let (told, lost) = hold.through(&fault).await?;
    if lost > 0 {
        bail!("{lost} of {told} runs that somebody was told of are gone");
    }
    let metadata = format!("{}{NOT_DURABLE}", fleet.postgres_url("millrace"));
    fleet.restart_with(&["scheduler"], &[("MILLRACE_POSTGRES_URL", &metadata)]).await?;
    let (mut without, mut tries) = ((0, 0), 0);
    while without.1 == 0 && tries < TRIES {
        without = hold.through(&fault).await?;
        tries += 1;
    }
    fleet.restart_with(&["scheduler"], &[]).await?;
    match without {
        (_, 0) => bail!("no run was lost in {TRIES} times without a durable commit: this tests nothing"),
        (of, gone) => Ok(format!(
            "{told} runs were told and are there; without a durable commit {gone} of {of} are gone"
        )),
    }
}

struct Hold<'a> {
    fleet: &'a Fleet,
    url: String,
}

/// Who trigger at the same time.
const LANES: usize = 4;
/// Told before the fault comes.
const BEFORE: usize = 200;
const WITHIN: Duration = Duration::from_secs(60);
/// Runs that one request cancels: it has 8 s for them.
const AT_ONCE: usize = 250;

impl Hold<'_> {
    /// How many runs were told, and how many of them are gone after the fault.
    async fn through<F>(&self, fault: impl Fn() -> F) -> anyhow::Result<(usize, usize)>
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        self.fleet
            .within(WITHIN, "the DAG is triggered", || async { self.trigger().await.is_some() })
            .await?;
        let (told, over) = (AtomicUsize::new(0), CancellationToken::new());
        let lanes = join_all((0..LANES).map(|_| self.until_refused(&told, &over)));
        let fault = async {
            let _over = over.clone().drop_guard();
            let many = || async { told.load(Ordering::Relaxed) >= BEFORE };
            self.fleet.within(WITHIN, "runs are triggered", many).await?;
            fault().await
        };
        let (ids, broken) = tokio::join!(lanes, fault);
        broken?;
        let ids = ids.concat();
        let lost = ids.len() - self.there(&ids).await?;
        self.cancel(&ids).await?;
        Ok((ids.len(), lost))
    }

    /// The runs that somebody was told of, up to the first trigger that was not answered. A server that is back soon may refuse none.
    async fn until_refused(&self, told: &AtomicUsize, over: &CancellationToken) -> Vec<Uuid> {
        let mut ids = vec![];
        while !over.is_cancelled()
            && let Some(id) = self.trigger().await
        {
            ids.push(id);
            told.fetch_add(1, Ordering::Relaxed);
        }
        ids
    }

    async fn trigger(&self) -> Option<Uuid> {
        let asked = self.fleet.http.post(&self.url).json(&json!({}));
        let run: Value = asked.send().await.ok()?.error_for_status().ok()?.json().await.ok()?;
        run["run_id"].as_str()?.parse().ok()
    }

    /// By a connection that is new: those of the pool were cut.
    async fn there(&self, ids: &[Uuid]) -> anyhow::Result<usize> {
        let asked = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM run WHERE id = ANY($1)");
        Ok(usize::try_from(
            asked.bind(ids).fetch_one(&postgres::one_connection(&self.fleet.millrace)).await?,
        )?)
    }

    /// Nothing of this waits beside the stories that follow.
    async fn cancel(&self, ids: &[Uuid]) -> anyhow::Result<()> {
        let url = &format!("{}/api/v1/bulk", self.fleet.url("scheduler"));
        for some in ids.chunks(AT_ONCE) {
            let asked = &json!({ "what": "cancel", "runs": some });
            let cancelled = || async {
                let answer = self.fleet.http.post(url).json(asked).send().await;
                answer.is_ok_and(|answer| answer.status().is_success())
            };
            self.fleet.within(WITHIN, "runs are cancelled", cancelled).await?;
        }
        Ok(())
    }
}
