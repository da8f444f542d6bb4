//! Runs that are triggered while something breaks.

use crate::{Fleet, probe};
use anyhow::bail;
use futures::future::try_join_all;
use queue::Queue;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Of different keys at the same time.
const LANES: usize = 4;
/// The first runs end within this, before anything breaks.
const FIRST_WITHIN: Duration = Duration::from_secs(60);

/// Triggers so many runs of the DAG `look`, each with a key of its own and again and again until it has ended well, while `fault`
/// happens: each key makes one run, and no counter of a run drifts. Answers what came of the fault.
pub async fn meanwhile<T>(
    fleet: &Fleet,
    keys: usize,
    fault: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let (began, ended) = (count(fleet).await?, AtomicUsize::new(0));
    let lane = |_| async {
        for _ in 0..keys / LANES {
            probe::run(fleet).await?;
            ended.fetch_add(1, Ordering::Relaxed);
        }
        anyhow::Ok(())
    };
    let some = || async { ended.load(Ordering::Relaxed) >= LANES };
    let fault = async {
        fleet.within(FIRST_WITHIN, "some runs end", some).await?;
        let before = ended.load(Ordering::Relaxed);
        if before == keys {
            bail!("all runs had ended before the fault: it has hit none");
        }
        fault.await
    };
    let (_, told) = tokio::try_join!(try_join_all((0..LANES).map(lane)), fault)?;
    let made = count(fleet).await? - began;
    if made != keys as i64 {
        bail!("{keys} keys made {made} runs");
    }
    let wrong = Queue::new(fleet.millrace.clone()).drifted().await?;
    if !wrong.is_empty() {
        bail!("counters of runs are not what their tasks say: {wrong:?}");
    }
    Ok(told)
}

/// How many runs of the DAG `look` there are. By a connection that is new: those of a pool may have been cut.
pub async fn count(fleet: &Fleet) -> anyhow::Result<i64> {
    let asked = sqlx::query_scalar("SELECT count(*) FROM run WHERE dag = 'look'");
    Ok(asked.fetch_one(&postgres::one_connection(&fleet.millrace)).await?)
}
