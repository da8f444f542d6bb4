//! Claims ready tasks and runs them, as many at once as are allowed.

use crate::{
    Config, Role, foreach,
    lineage::Lineage,
    mask::Mask,
    outside::Outside,
    run, template,
    together::{Together, together},
};
use model::Break;
use pipeline::{Pipeline, Task, item_of};
use prometheus::IntCounterVec;
use queue::{Claim, Ending, Finished, Queue, TaskRow};
use service::{CancellationToken, Service};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::{Id, JoinError, JoinSet};
use uuid::Uuid;

/// Ready tasks are looked for so often where no hint comes, and where nobody looks for them beside this: a hint may be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The same beside the chores, which say each second whether any task waits.
const LOOK_BESIDE: Duration = Duration::from_secs(10);
/// Clocks differ by the way of an answer: what is due in no time is looked for a moment later.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(5);

/// What runs here, by the task of the runtime: a claim's attempt, and how to stop it.
type Held = HashMap<Id, (Uuid, CancellationToken)>;

/// Where endings are handed in: those that come while a commit waits for the disk go together into the next one.
type Finisher = Together<(Claim, Ending), Finished>;

/// What each task that runs here is attended with.
#[derive(Clone)]
struct Desk {
    outside: Outside,
    finisher: Finisher,
    lineage: Lineage,
    /// Ends of tries that were taken, by DAG and how.
    ended: IntCounterVec,
}

/// Runs tasks until the process is to end. What is running then is given back at once.
pub async fn follow(
    service: &Service,
    config: &Config,
    outside: &Outside,
    lineage: Lineage,
) -> anyhow::Result<()> {
    let (mut running, mut held) = (JoinSet::new(), Held::new());
    let (finisher, endings) = together();
    let queue = outside.queue.clone();
    let finishing = tokio::spawn(endings.run(move |asked| finish(queue.clone(), asked)));
    let ended = service.metrics.counters(
        "task_tries_ended_total",
        "Tries of tasks that ended in this process",
        &["dag", "state"],
    )?;
    let desk = Desk { outside: outside.clone(), finisher, lineage, ended };
    let channels = [queue::CHANNEL, queue::STOP_CHANNEL];
    let [mut hints, mut stops] = postgres::listen(outside.queue.pool(), channels);
    let (mut renewed, mut pace) = (Instant::now(), Pace::default());
    let longest = if config.role == Role::All { LOOK_BESIDE } else { LOOK_AGAIN };
    let looks = !outside.queue.guards().lack(Break::OnlyHints);
    while !service.shutdown.is_cancelled() {
        // Of tasks whose endings went together, the first is not claimed after alone.
        tokio::task::yield_now().await;
        while let Some(ended) = running.try_join_next_with_id() {
            forget(ended, &mut held);
        }
        let free = config.tasks_max.saturating_sub(running.len());
        let wait = pace.wait(Instant::now(), free, config.tasks_max);
        if !wait.is_zero() {
            tokio::select! {
                Some(ended) = running.join_next_with_id() => forget(ended, &mut held),
                () = tokio::time::sleep(wait) => {}
                () = service.shutdown.cancelled() => {}
            }
            continue;
        }
        let pause = match claim(service, &desk, config.lease, free, &mut running, &mut held).await {
            Ok(claimed) => {
                pace = Pace {
                    claimed_at: Some(Instant::now()),
                    tasks: claimed.tasks,
                    filled: claimed.tasks >= free,
                };
                service.health.good("queue");
                claimed.next.unwrap_or(longest).clamp(LOOK_AGAIN_MIN, longest)
            }
            Err(cause) => {
                service.health.bad("queue", format!("tasks can't be claimed: {cause}"));
                LOOK_AGAIN
            }
        };
        let mut taken = false;
        tokio::select! {
            // After an answer of its own it looks anyway.
            () = hints.next_where(|text| queue::Hint::parse(text).is_none_or(|hint| hint.holder != Some(&service.name))) => {}
            () = stops.next() => taken = true,
            () = outside.ready.notified(), if looks => {}
            // Leases end while nothing happens, too.
            () = tokio::time::sleep(config.lease / 3), if !held.is_empty() => {}
            // Its children are ready now: they wait for no hint.
            Some(ended) = running.join_next_with_id() => forget(ended, &mut held),
            () = tokio::time::sleep(pause), if looks => {}
            () = service.shutdown.cancelled() => {}
        }
        if taken || renewed.elapsed() > config.lease / 3 {
            renew(config, outside, &mut held).await;
            renewed = Instant::now();
        }
    }
    running.shutdown().await;
    drop(desk);
    finishing.await?;
    let given_back: Vec<Uuid> = held.into_values().map(|(attempt_id, _)| attempt_id).collect();
    postgres::answered(outside.queue.give_back(&given_back)).await?;
    Ok(())
}

async fn finish(queue: Queue, asked: Vec<(Claim, Ending)>) -> Result<Vec<Finished>, sqlx::Error> {
    let endings: Vec<(&Claim, &Ending)> = asked.iter().map(|(claim, ending)| (claim, ending)).collect();
    queue.finish_all(&endings).await
}

/// One that panicked too: its lease ends, and it counts as a lost holder.
fn forget(ended: Result<(Id, ()), JoinError>, held: &mut Held) {
    held.remove(&ended.map_or_else(|panicked| panicked.id(), |(id, ())| id));
}

/// What a claim brought.
struct Claimed {
    tasks: usize,
    /// How long it is until something more is due.
    next: Option<Duration>,
}

/// Begins what may begin, as much as there is room for.
async fn claim(
    service: &Service,
    desk: &Desk,
    lease: Duration,
    free: usize,
    running: &mut JoinSet<()>,
    held: &mut Held,
) -> Result<Claimed, sqlx::Error> {
    if free == 0 {
        return Ok(Claimed { tasks: 0, next: None });
    }
    let (claims, next) =
        postgres::answered(desk.outside.queue.claim_or_when(&service.name, lease, free as i64)).await?;
    let tasks = claims.len();
    for claim in claims {
        let (attempt_id, stop) = (claim.attempt_id, CancellationToken::new());
        let (desk, stopped) = (desk.clone(), stop.clone());
        let handle = running.spawn(async move { attend(&desk, &claim, &stopped).await });
        held.insert(handle.id(), (attempt_id, stop));
    }
    Ok(Claimed { tasks, next })
}

/// How soon the next claim may be: one claim of many tasks takes hardly longer than one of one, and all who claim take turns.
#[derive(Default)]
struct Pace {
    claimed_at: Option<Instant>,
    /// That the last claim took.
    tasks: usize,
    /// The last claim took all that there was room for: there is more.
    filled: bool,
}

/// Tasks that become ready meanwhile go together, where there are several at once. A task that follows another one alone waits for nobody.
const BETWEEN_CLAIMS: Duration = Duration::from_millis(2);
/// Where more waits than there is room for, half of the room is to be free again; for this long at most.
const FULL_MAX: Duration = Duration::from_millis(10);

impl Pace {
    fn wait(&self, now: Instant, free: usize, tasks_max: usize) -> Duration {
        let Some(claimed_at) = self.claimed_at else { return Duration::ZERO };
        let least = match self.tasks {
            _ if self.filled && free < tasks_max.div_ceil(2) => FULL_MAX,
            1 if free == tasks_max => Duration::ZERO,
            _ => BETWEEN_CLAIMS,
        };
        least.saturating_sub(now.saturating_duration_since(claimed_at))
    }
}

/// Lengthens the leases of what is running. What is no longer ours is stopped: its answer would be refused anyway.
async fn renew(config: &Config, outside: &Outside, held: &mut Held) {
    if held.is_empty() {
        return;
    }
    let ids: Vec<Uuid> = held.values().map(|(attempt_id, _)| *attempt_id).collect();
    match postgres::answered(outside.queue.renew(&ids, config.lease)).await {
        Ok(ours) => held.retain(|_, (attempt_id, stop)| {
            let ours = ours.contains(attempt_id);
            if !ours {
                stop.cancel();
            }
            ours
        }),
        Err(cause) => tracing::warn!("leases were not lengthened: {cause}"),
    }
}

/// A server that is started again is back by then. What took hours is not to be done again for a moment without one.
const ENDING_MAX: Duration = Duration::from_secs(60);

/// Runs one claim to its ending and writes that.
async fn attend(desk: &Desk, claim: &Claim, stop: &CancellationToken) {
    let outside = &desk.outside;
    let ending = match work(desk, claim, stop).await {
        None => return,
        Some(Ending::Success(result)) => Ending::Success(outside.results.keep(claim, result).await),
        Some(other) => other,
    };
    if stop.is_cancelled() {
        return run::log(outside, claim, "stopped: somebody ended the task, or its lease").await;
    }
    if let Ending::Failed { reason, .. } = &ending {
        run::log(outside, claim, &format!("failed: {reason}")).await;
    }
    match desk.finisher.write_within(ENDING_MAX, (claim.clone(), ending.clone())).await {
        Ok(Finished::Taken) => {
            if let Some(state) = word(&ending) {
                desk.ended.with_label_values(&[claim.dag.as_str(), state]).inc();
            }
            desk.lineage.ends(claim, &ending)
        }
        Ok(Finished::Refused) => {
            // Or it was kept the first time, and the answer was lost.
            tracing::warn!(run.id = %claim.run_id, task = claim.task, "its result was refused: it is no longer its holder's")
        }
        // The lease ends and somebody else tries: what a task does must bear being done twice.
        Err(cause) => {
            tracing::error!(run.id = %claim.run_id, task = claim.task, "its result was not kept: {cause}")
        }
    }
}

/// How a try ended; nothing where it has not.
fn word(ending: &Ending) -> Option<&'static str> {
    match ending {
        Ending::Success(_) | Ending::Branched { .. } => Some("success"),
        Ending::Failed { retry_in: Some(_), .. } => Some("retrying"),
        Ending::Failed { .. } => Some("failed"),
        Ending::Skipped { .. } => Some("skipped"),
        Ending::Deferred { .. } => None,
    }
}

/// What is known of a task before it is done.
struct Prepared {
    pipeline: Arc<Pipeline>,
    /// The name of the task in the file; an item's row has another one.
    name: String,
    is_item: bool,
    tasks: Vec<TaskRow>,
    context: serde_json::Value,
    mask: Mask,
}

/// No ending: the task has made its items, and waits for them.
async fn work(desk: &Desk, claim: &Claim, stop: &CancellationToken) -> Option<Ending> {
    let failed = |reason| Some(Ending::Failed { reason, retry_in: None });
    let prepared = match prepare(&desk.outside, claim).await {
        Ok(prepared) => prepared,
        Err(reason) => return failed(reason),
    };
    let task = match find(&prepared.pipeline, claim, &prepared.name) {
        Ok(task) => task,
        Err(reason) => return failed(reason),
    };
    desk.lineage.begins(claim, task);
    let ending = begin(&desk.outside, claim, &prepared, task, stop).await;
    ending.map(|ending| prepared.mask.ending(ending))
}

async fn prepare(outside: &Outside, claim: &Claim) -> Result<Prepared, String> {
    let pipeline = outside.version(&claim.pipeline, &claim.hash).await?;
    let (name, index) =
        item_of(&claim.task).map_or((claim.task.as_str(), None), |(name, at)| (name, Some(at)));
    let task = find(&pipeline, claim, name)?;
    let tasks = match task.results_named() {
        None => postgres::answered(outside.queue.tasks(claim.run_id)).await,
        Some(names) => postgres::answered(outside.queue.tasks_named(claim.run_id, &names)).await,
    };
    let tasks = tasks.map_err(|cause| format!("earlier results can't be read: {cause}"))?;
    let item = match index {
        Some(index) => {
            let value = postgres::answered(outside.queue.item(claim.run_id, &claim.task)).await;
            let value = value.map_err(|cause| format!("its item can't be read: {cause}"))?;
            Some(template::Item { index, value })
        }
        None => None,
    };
    let tasks = opened(outside, tasks).await?;
    let given = outside.named.given(&task.names).await?;
    let mut context = template::context(claim, &tasks, &given, item.as_ref());
    if task.names_event() {
        let event = postgres::answered(outside.queue.event(claim.run_id)).await;
        let event = event.map_err(|cause| format!("the run's records can't be read: {cause}"))?;
        context["event"] = event.unwrap_or_default();
    }
    let (name, is_item) = (name.to_owned(), index.is_some());
    Ok(Prepared { name, is_item, tasks, context, mask: given.mask, pipeline })
}

fn find<'a>(pipeline: &'a Pipeline, claim: &Claim, name: &str) -> Result<&'a Task, String> {
    let task = pipeline.dags.get(&claim.dag).and_then(|dag| dag.tasks.get(name));
    task.ok_or_else(|| "the DAG's version no longer has this task".into())
}

async fn begin(
    outside: &Outside,
    claim: &Claim,
    prepared: &Prepared,
    task: &Task,
    stop: &CancellationToken,
) -> Option<Ending> {
    let Prepared { pipeline, is_item, tasks, context, mask, .. } = prepared;
    if task.foreach.is_some() && !is_item {
        return foreach::attend(outside, claim, task, context, mask).await;
    }
    // Of an item, its task has been asked.
    if let Some(ending) = unwanted(task, context).filter(|_| !is_item) {
        return Some(ending);
    }
    let stop = stop.child_token();
    let job = run::Job { outside, claim, pipeline, task, context, mask, tasks, stop: &stop };
    Some(ending(within_timeout(&job).await, task, claim))
}

/// Tasks with the results that they have in files.
async fn opened(outside: &Outside, mut tasks: Vec<TaskRow>) -> Result<Vec<TaskRow>, String> {
    for task in &mut tasks {
        if let Some(result) = task.result.take() {
            let opened = outside.results.open(result).await;
            task.result = Some(opened.map_err(|cause| format!("task \"{}\": {cause}", task.name))?);
        }
    }
    Ok(tasks)
}

/// An attempt that takes too long is asked to stop, and left after a while.
async fn within_timeout(job: &run::Job<'_>) -> run::Outcome {
    let left = job.task.timeout.saturating_sub(job.claim.age).max(Duration::from_millis(1));
    let mut running = std::pin::pin!(run::run(job));
    if let Ok(outcome) = tokio::time::timeout(left, &mut running).await {
        return outcome;
    }
    job.stop.cancel();
    // It ends by itself; what it says now no longer counts.
    let _ = tokio::time::timeout(run::STOP_MAX, running).await;
    run::Outcome::Failed(format!("it took longer than its timeout of {}", humantime(job.task.timeout)))
}

/// The ending of a task whose `when` does not hold. One that can't be told fails at once: another try would find the same.
pub fn unwanted(task: &Task, context: &serde_json::Value) -> Option<Ending> {
    let when = task.when.as_ref()?;
    let failed = |reason: String| Some(Ending::Failed { reason, retry_in: None });
    match template::render(when, context).as_deref().map(str::trim) {
        Ok("true") => None,
        Ok("false") => Some(Ending::Skipped { reason: format!("`when` does not hold: {when}") }),
        Ok(other) => failed(format!("`when` gives \"{other}\", neither true nor false: {when}")),
        Err(cause) => failed(format!("`when`: {cause}")),
    }
}

fn ending(outcome: run::Outcome, task: &Task, claim: &Claim) -> Ending {
    match outcome {
        run::Outcome::Done(result) => Ending::Success(result),
        run::Outcome::Chosen { chosen, left_out } => {
            let (result, reason) = run::branch::told(&task.name, &chosen);
            Ending::Branched { result, left_out, reason }
        }
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

fn retry(task: &Task, claim: &Claim) -> Option<Duration> {
    task.retry.wait(claim.tries, rand::random())
}

fn humantime(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests;
