//! Claims ready tasks and runs them, as many at once as are allowed.

use crate::{Config, outside::Outside, run, template};
use model::Retry;
use queue::{Claim, Ending, Finished};
use service::Service;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::task::{AbortHandle, JoinSet};
use uuid::Uuid;

/// Ready tasks are looked for so often when no hint comes.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Runs tasks until the process is to end. What is running then is given back at once.
pub async fn follow(service: &Service, config: &Config, outside: &Outside) -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    let mut held: HashMap<Uuid, AbortHandle> = HashMap::new();
    let mut hints = postgres::listen(outside.queue.pool(), queue::CHANNEL).await?;
    let mut renewed = Instant::now();
    while !service.shutdown.is_cancelled() {
        while let Some(ended) = running.try_join_next() {
            if let Ok(attempt_id) = ended {
                held.remove(&attempt_id);
            }
        }
        match claim(service, config, outside, &mut running, &mut held).await {
            Ok(()) => service.health.good("queue"),
            Err(cause) => service.health.bad("queue", format!("tasks can't be claimed: {cause}")),
        }
        if renewed.elapsed() > config.lease / 3 {
            renew(config, outside, &mut held).await;
            renewed = Instant::now();
        }
        tokio::select! {
            () = hints.next() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = service.shutdown.cancelled() => {}
        }
    }
    running.shutdown().await;
    let given_back: Vec<Uuid> = held.into_keys().collect();
    outside.queue.give_back(&given_back).await?;
    Ok(())
}

async fn claim(
    service: &Service,
    config: &Config,
    outside: &Outside,
    running: &mut JoinSet<Uuid>,
    held: &mut HashMap<Uuid, AbortHandle>,
) -> Result<(), sqlx::Error> {
    let free = config.tasks_max.saturating_sub(running.len());
    if free == 0 {
        return Ok(());
    }
    for claim in outside.queue.claim(&service.name, config.lease, free as i64).await? {
        let attempt_id = claim.attempt_id;
        let outside = outside.clone();
        let handle = running.spawn(async move {
            attend(&outside, &claim).await;
            attempt_id
        });
        held.insert(attempt_id, handle);
    }
    Ok(())
}

/// Lengthens the leases of what is running. What is no longer ours is stopped: its answer would be refused anyway.
async fn renew(config: &Config, outside: &Outside, held: &mut HashMap<Uuid, AbortHandle>) {
    let ids: Vec<Uuid> = held.keys().copied().collect();
    match outside.queue.renew(&ids, config.lease).await {
        Ok(ours) => held.retain(|id, handle| {
            let ours = ours.contains(id) || handle.is_finished();
            if !ours {
                handle.abort();
            }
            ours
        }),
        Err(cause) => tracing::warn!("leases were not lengthened: {cause}"),
    }
}

/// Runs one claim to its ending and writes that.
async fn attend(outside: &Outside, claim: &Claim) {
    let ending = work(outside, claim).await;
    if let Ending::Failed { reason, .. } = &ending {
        run::log(outside, claim, &format!("failed: {reason}")).await;
    }
    match outside.queue.finish(claim, &ending).await {
        Ok(Finished::Taken) => {}
        Ok(Finished::Refused) => {
            tracing::warn!(run.id = %claim.run_id, task = claim.task, "its result came too late and was refused")
        }
        // The lease ends and somebody else tries: what a task does must bear being done twice.
        Err(cause) => {
            tracing::error!(run.id = %claim.run_id, task = claim.task, "its result was not kept: {cause}")
        }
    }
}

async fn work(outside: &Outside, claim: &Claim) -> Ending {
    let failed = |reason: String| Ending::Failed { reason, retry_in: None };
    let pipeline = match outside.version(&claim.pipeline, &claim.hash).await {
        Ok(pipeline) => pipeline,
        Err(reason) => return failed(reason),
    };
    let Some(task) = pipeline.dags.get(&claim.dag).and_then(|dag| dag.tasks.get(&claim.task)) else {
        return failed("the DAG's version no longer has this task".into());
    };
    let tasks = match task.results_named() {
        None => outside.queue.tasks(claim.run_id).await,
        Some(names) => outside.queue.tasks_named(claim.run_id, &names).await,
    };
    let tasks = match tasks {
        Ok(tasks) => tasks,
        Err(cause) => return failed(format!("earlier results can't be read: {cause}")),
    };
    let context = template::context(claim, &tasks);
    let left = task.timeout.saturating_sub(claim.age);
    let job = run::Job { outside, claim, pipeline: &pipeline, task, context: &context, tasks: &tasks };
    let outcome = match tokio::time::timeout(left.max(Duration::from_millis(1)), run::run(&job)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            run::Outcome::Failed(format!("it took longer than its timeout of {}", humantime(task.timeout)))
        }
    };
    ending(outcome, task, claim)
}

fn ending(outcome: run::Outcome, task: &pipeline::Task, claim: &Claim) -> Ending {
    match outcome {
        run::Outcome::Done(result) => Ending::Success(result),
        run::Outcome::NotYet { reason, .. } if claim.age >= task.timeout => Ending::Failed {
            reason: format!("waited {}: {reason}", humantime(task.timeout)),
            retry_in: retry(task, claim),
        },
        run::Outcome::NotYet { reason, look_again_in, kept } => {
            Ending::Deferred { look_again_in, reason, kept }
        }
        run::Outcome::Failed(reason) => Ending::Failed { reason, retry_in: retry(task, claim) },
    }
}

fn retry(task: &pipeline::Task, claim: &Claim) -> Option<Duration> {
    let policy = Retry::new(task.retries + 1, task.retry_delay, task.retry_delay_max);
    policy.delay(claim.attempt.max(0) as u32, rand::random_range(0.5..1.0))
}

fn humantime(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
