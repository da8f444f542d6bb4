//! Successes become runs of the DAGs that follow.

use crate::outside::Outside;
use pipeline::Dag;
use queue::{Cause, NewRun, Success};

/// Makes the runs that follow what has succeeded.
pub async fn follow(outside: &Outside) -> Result<(), sqlx::Error> {
    for success in outside.queue.successes().await? {
        let pipeline = match outside.version(&success.pipeline, &success.hash).await {
            Ok(pipeline) => pipeline,
            Err(reason) => {
                tracing::warn!(dag = success.dag, "{reason}");
                continue;
            }
        };
        if let Some(dag) = pipeline.dags.get(&success.dag) {
            outside.queue.follow(&success, &run(&success, dag)).await?;
        }
    }
    Ok(())
}

/// The run that follows a success, for the same time. Its key is the run that succeeded.
fn run(success: &Success, dag: &Dag) -> NewRun {
    let key = format!("after:{}:{}", dag.name, success.run_id);
    let run = NewRun::of(dag, &success.pipeline, &success.hash, key, success.logical_at, Cause::After);
    NewRun { interval: success.interval, ..run }
}
